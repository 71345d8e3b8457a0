// Indices of the flags that the kernel and its control thread share: 0 or 1.

module.exports = { CELL_RUNS: 0, STOPPED_BY_FORCE: 1, COUNT: 2 };
