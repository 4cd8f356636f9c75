/**
 * One thing that could not be read or believed. Parsers never throw for bad data: they return what they have, and problems.
 * Each names the fact, the effect and the way out, as far as the place that found it knows them.
 */
export interface Problem {
  /** What it is about, for a person: "server.pdb", "thread 4712", "PT_LOAD 12", "task 9". */
  readonly where: string;
  /** The fact, one sentence, with the ids, sizes, paths or addresses concerned. */
  readonly what: string;
  /** What is lost by it, one sentence. */
  readonly effect?: string;
  /** What the person can do, one sentence. */
  readonly remedy?: string;
}

/** Collects problems up to a bound; past it only counts, so that hostile input cannot fill memory with complaints. */
export class ProblemLog {
  private readonly kept: Problem[] = [];
  private readonly seen = new Set<string>();
  private suppressed = 0;

  constructor(private readonly limit = 200) {}

  add(problem: Problem): void {
    const key = `${problem.where}\0${problem.what}`;
    if (this.seen.has(key)) return;
    if (this.kept.length >= this.limit) {
      this.suppressed++;
      return;
    }
    this.seen.add(key);
    this.kept.push(problem);
  }

  addAll(problems: Iterable<Problem>): void {
    for (const problem of problems) this.add(problem);
  }

  list(): readonly Problem[] {
    if (this.suppressed === 0) return this.kept;
    return [...this.kept, { where: "problems", what: `${String(this.suppressed)} more problems are not listed.` }];
  }
}
