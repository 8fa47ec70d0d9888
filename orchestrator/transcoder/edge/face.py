"""The parts of the API of orders, put together."""

from orchestrator.transcoder.database import Database
from orchestrator.transcoder.edge.api import EdgeApi
from orchestrator.transcoder.edge.desk import Desk
from orchestrator.transcoder.edge.orders import Orders
from orchestrator.transcoder.edge.profiles import Profiles
from orchestrator.transcoder.edge.tokens import Tokens
from orchestrator.transcoder.queue import WorkQueue
from orchestrator.transcoder.settings import TranscoderSettings
from orchestrator.transcoder.sources import Sources
from orchestrator.transcoder.storage import Storage
from orchestrator.transcoder.tasks import TaskStore
from orchestrator.transcoder.vault import Vault


def edge_api(
    settings: TranscoderSettings,
    database: Database,
    vault: Vault,
    tasks: TaskStore,
    queue: WorkQueue,
    sources: Sources,
    storage: Storage,
) -> EdgeApi:
    """The API over a service's own store and work queue."""
    orders, profiles = Orders(database, vault), Profiles(database, vault)
    mail = settings.smtp is not None
    desk = Desk(tasks, queue, sources, storage, orders, profiles, vault, mail=mail)
    return EdgeApi(Tokens(settings.edge_accounts), desk, orders, profiles, tasks, queue)
