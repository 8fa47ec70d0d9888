// @tus/server with its file store: argument 1 is the folder of what arrives.
// Prints its URL, answers each line of standard input with the CPU seconds
// used, and ends when standard input does.

import { createInterface } from "node:readline";
import { FileStore } from "@tus/file-store";
import { Server } from "@tus/server";

const directory = process.argv[2];
const server = new Server({ path: "/files", datastore: new FileStore({ directory }) });
const listening = server.listen({ host: "127.0.0.1", port: 0 }, () => {
  console.log(`http://127.0.0.1:${listening.address().port}/files`);
});

const asked = createInterface({ input: process.stdin });
asked.on("line", () => {
  const { user, system } = process.cpuUsage();
  console.log((user + system) / 1e6);
});
asked.on("close", () => process.exit(0));
