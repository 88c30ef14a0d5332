/** Values by a key, in the order in which keys come: `Map.groupBy`, which Node 20 lacks. */
export function groupBy<Key, Value>(
  values: ReadonlyArray<Value>,
  keyOf: (value: Value) => Key,
): ReadonlyMap<Key, ReadonlyArray<Value>> {
  const groups = new Map<Key, Array<Value>>()
  for (const value of values) {
    const key = keyOf(value), own = groups.get(key)
    if (own === undefined) groups.set(key, [value])
    else own.push(value)
  }
  return groups
}
