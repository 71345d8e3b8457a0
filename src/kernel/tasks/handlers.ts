/** What threads do with signals: tables that threads of a process share. Spec: sigaction(2). */
import { PersistentMap } from "../../state/persistent-map.js";
import type { SignalAction, SignalHandlers } from "../state.js";
import type { Work } from "../work.js";

export const SIG = { DFL: 0, IGN: 1 } as const;

export function newHandlers(k: Work, actions: SignalHandlers["actions"] = PersistentMap.empty<SignalAction>()): number {
  const id = k.newId();
  k.set({ handlers: k.state.handlers.set(id, { id, users: 1, actions }) });
  return id;
}

export function dropHandlers(k: Work, id: number): void {
  const table = k.state.handlers.get(id)!;
  k.set({ handlers: k.state.handlers.set(id, table.users > 1 ? { ...table, users: table.users - 1 } : undefined) });
}

/** What is ignored stays so; handlers are gone. */
export function ignoredOnly(actions: SignalHandlers["actions"]): SignalHandlers["actions"] {
  let kept = PersistentMap.empty<SignalAction>();
  for (const [signal, action] of actions.entries()) if (action.handler === SIG.IGN) kept = kept.set(signal, action);
  return kept;
}

/** Another program has none of the handlers of the one before, and ignores what that ignored. */
export function resetHandlers(k: Work): void {
  const { actions } = k.state.handlers.get(k.task.handlers)!;
  const kept = ignoredOnly(actions);
  dropHandlers(k, k.task.handlers);
  k.setTask(k.current, { handlers: newHandlers(k, kept) });
}
