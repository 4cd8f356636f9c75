import { createConnection, ProposedFeatures } from "vscode-languageserver/node";
import { startLanguageServer } from "./language-server";

/** The language server's process. Over stdio, whatever the arguments: other editors start it as they start any server. */
const connection = createConnection(ProposedFeatures.all, process.stdin, process.stdout);
// The client is gone when its end of the pipe is.
process.stdin.on("end", () => process.exit(0));
startLanguageServer(connection);
