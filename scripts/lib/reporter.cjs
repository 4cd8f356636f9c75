// mocha's own Spec reporter, which also writes its counts to the file named by GRACE_MOCHA_RESULT. Loaded by mocha, also in the extension
// host of the in-editor suite; so it is CommonJS.
"use strict";
const { writeFileSync } = require("node:fs");
const { Spec } = require("mocha").reporters;

module.exports = class CountingSpec extends Spec {
  constructor(runner, options) {
    super(runner, options);
    const skipped = [];
    runner.on("pending", (test) => skipped.push(test.fullTitle()));
    runner.once("end", () => {
      const { passes, failures, pending } = this.stats;
      const failed = this.failures.map((test) => test.fullTitle());
      const file = process.env.GRACE_MOCHA_RESULT;
      if (file)
        writeFileSync(
          file,
          JSON.stringify({ passed: passes, failed: failures, skipped: pending, failures: failed, skips: skipped }),
        );
    });
  }
};
