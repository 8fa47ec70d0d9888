"""Which addresses are of the open internet."""

import ipaddress

#: All that is routed on the internet; the rest of IPv6 is local, mapped or translated.
_ROUTED = ipaddress.ip_network("2000::/3")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet, however it is written."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip not in _ROUTED or ip.sixtofour is not None or ip.teredo is not None:
            return False  # local, or a tunnel to an IPv4 address that nobody judged
    return ip.is_global and not ip.is_multicast
