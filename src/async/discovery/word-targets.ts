export { WordHits, WordTargets } from "../../bytes/word-targets";
