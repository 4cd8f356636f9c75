import { parentPort } from "node:worker_threads";
import { serveSearch } from "./word-search";
import type { SharedSearch } from "./word-search";

parentPort?.once("message", (share: SharedSearch) => {
  serveSearch(share);
});
