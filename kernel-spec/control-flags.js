// What the kernel and its control thread share: an array of numbers, here by index and value.

module.exports = {
  /** What code of a cell is doing. */
  CELL: 0,
  NOTHING: 0,
  /** It runs without an await behind it, where a signal breaks it. */
  BREAKABLE: 1,
  RUNS: 2,
  /** 1 from when the thread sends a signal until the kernel has met it. */
  SIGNALLED: 1,
  /** 1 from when the thread has stopped code by force until the kernel asks. */
  STOPPED_BY_FORCE: 2,
  COUNT: 3,
};
