/** Exit statuses of the command, beside a guest's own (debug exit: (value << 1) | 1). */
export const EXIT_STATUS = {
  /** The guest powered off or reset. */
  ok: 0,
  failed: 1,
  badInput: 2,
  limit: 3,
  /** Triple fault, or a halt or a jump to itself that nothing can end. */
  stuck: 4,
} as const;
