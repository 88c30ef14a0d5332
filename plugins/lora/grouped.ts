/** Values by key, in the order in which keys first occur. Like `Map.groupBy`, which Node 20 does not have. */
export const grouped = <Key, Value>(
  values: ReadonlyArray<Value>,
  keyOf: (value: Value) => Key,
): ReadonlyMap<Key, ReadonlyArray<Value>> => {
  const groups = new Map<Key, Array<Value>>()
  for (const value of values) {
    const key = keyOf(value)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [value])
    else group.push(value)
  }
  return groups
}
