export function openUnicorn(): string {
  return "not yet";
}
