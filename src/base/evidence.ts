/** How sure a statement is, and why. Carried by every statement Grace makes about a program. */
export interface Evidence {
  /** verified: read from a structure whose invariants were checked. inferred: follows by a rule that can err. unknown: not told by the dump. */
  readonly grade: "verified" | "inferred" | "unknown";
  /** The structure read, the rule used, or the reason why it is not known: a short clause without a full stop. */
  readonly why: string;
}

export const verified = (why: string): Evidence => ({ grade: "verified", why });
export const inferred = (why: string): Evidence => ({ grade: "inferred", why });
export const unknown = (why: string): Evidence => ({ grade: "unknown", why });

const rank = { verified: 2, inferred: 1, unknown: 0 } as const;
/** The weaker of the two: what rests on both is no better than the worse. */
export const weaker = (a: Evidence, b: Evidence): Evidence => (rank[b.grade] < rank[a.grade] ? b : a);
