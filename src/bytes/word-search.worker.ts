import { workerData } from "node:worker_threads";
import { serveSearch } from "./word-search";
import type { SharedSearch } from "./word-search";

serveSearch(workerData as SharedSearch);
