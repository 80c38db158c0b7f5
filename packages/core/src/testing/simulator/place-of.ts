/** What something is called that has a name in a namespace. */
export function placeOf(namespace: string, id: string): string {
  return namespace === "default" ? id : `${namespace}/${id}`;
}
