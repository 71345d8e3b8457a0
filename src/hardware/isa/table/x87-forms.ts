/** What all rows of x87 have in common. */
export const x87 = { group: "x87", unit: "x87", needs: "FPU" } as const;
