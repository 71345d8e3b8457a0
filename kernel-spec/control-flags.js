// What the kernel and its control thread share: an array of numbers, here by index and value.

module.exports = {
  /** What the kernel's thread may be stopped in. */
  THREAD: 0,
  /** It compiles, and half of a compilation would be left. */
  COMPILES: 0,
  /** It runs a cell without an await behind it, where a signal breaks it. */
  BREAKABLE: 1,
  /** It waits; or what keeps it busy is code of cells that goes on behind an await or in timers. */
  FREE: 2,
  /** 1 from when the thread sends a signal until the kernel has met it. */
  SIGNALLED: 1,
  /** 1 from when the thread has stopped code by force until the kernel asks. */
  STOPPED_BY_FORCE: 2,
  COUNT: 3,
};
