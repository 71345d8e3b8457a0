/** What happens in the hub, told to whoever listens. Manual: Jupyter Server, "Events API". */

export type EventListener = (event: Readonly<Record<string, unknown>>) => void;

export class HubEvents {
  readonly #listeners = new Set<EventListener>();

  /** Adds a listener; the result takes it off again. */
  listen(listener: EventListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells an event of the kind that its schema's address names. */
  emit(schema: string, data: Readonly<Record<string, unknown>>): void {
    const event = {
      schema_id: schema,
      schema_version: "1",
      emission_time: new Date().toISOString(),
      metadata_version: 1,
      ...data,
    };
    for (const listener of this.#listeners) listener(event);
  }
}
