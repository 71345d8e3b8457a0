/** How fast something goes: what was done lately counts more than what was done long ago. */

/** Seconds after which an amount counts for a third of what a new one does. */
const MEMORY = 3;

export interface Rate {
  /** Takes how much is done after so many seconds; gives the units a second, or undefined before there is a rate. */
  at(done: number, seconds: number): number | undefined;
}

/** A rate that begins now, when so much is done. */
export function newRate(done: number): Rate {
  let last = { done, seconds: 0 };
  // Amounts and times, both fading alike, so that their quotient is right from the beginning.
  let amount = 0;
  let time = 0;
  return {
    at(doneNow, seconds) {
      const passed = seconds - last.seconds;
      if (passed > 0) {
        const fading = Math.exp(-passed / MEMORY);
        amount = amount * fading + (doneNow - last.done);
        time = time * fading + passed;
        last = { done: doneNow, seconds };
      }
      return time === 0 ? undefined : amount / time;
    },
  };
}
