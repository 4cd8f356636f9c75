// What a fresh clone lacks: dependencies and the build. Plain Node without packages.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Advice, npm, root, run } from "./process.mjs";

const leastNode = [20, 19];

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < leastNode[0] || (major === leastNode[0] && minor < leastNode[1])) {
    throw new Advice(
      `Grace is built with Node ${leastNode.join(".")} or newer; this is Node ${process.versions.node}.`,
    );
  }
}

/** Whether node_modules holds what package-lock.json asks for, judged by npm's own record of what it installed. */
function isInstalled() {
  const read = (path) => JSON.parse(readFileSync(join(root, path), "utf8")).packages;
  try {
    const wanted = read("package-lock.json");
    const found = read("node_modules/.package-lock.json");
    return Object.entries(wanted).every(
      ([path, entry]) => path === "" || entry.optional || found[path]?.version === entry.version,
    );
  } catch {
    return false;
  }
}

/** Installs the dependencies unless they are there already. */
export async function installDependencies() {
  checkNode();
  if (isInstalled()) return;
  console.log("Installing dependencies (npm ci) ...");
  const { code, output } = await npm(["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"], {
    quiet: true,
  });
  if (code !== 0) {
    throw new Advice(
      `${output}\nnpm ci failed. Grace's packages come from npm's registry: check the network, then run: npm ci`,
    );
  }
}

/** Bundles everything into dist/ and out/. */
export async function build() {
  const { code } = await run(process.execPath, [join(root, "scripts/build.mjs")]);
  if (code !== 0) throw new Advice("The build failed: see above, then run: npm run build");
}
