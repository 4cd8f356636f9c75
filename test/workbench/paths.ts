import { join, resolve } from "node:path";

/** The checkout. These files run unbundled (tsx), so their own place tells it. */
export const root = resolve(__dirname, "../..");

/** What may be deleted at any time: downloads, scratch workspaces, screenshots. */
export const cacheFolder = join(root, ".cache");
