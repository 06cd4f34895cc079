/** Vitest reporter: one plain closing line, `N passed, N failed, N skipped`, for people and machines that read logs. */
export const reporter = {
  onTestRunEnd(modules, unhandledErrors) {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) {
      let failedTests = 0;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "passed") count.passed++;
        else if (state === "skipped") count.skipped++;
        else failedTests++;
      }
      // A file that cannot be loaded, or whose suite hooks throw, has failed without a failed test.
      count.failed += failedTests === 0 && module.state() === "failed" ? 1 : failedTests;
    }
    // After the other reporters, whose summaries come later in the same event.
    process.once("exit", () => {
      process.stdout.write(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`);
    });
  },
};
