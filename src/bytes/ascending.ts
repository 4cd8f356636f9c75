/**
 * Indexes of the values in ascending order, equal ones in the order of their indexes. Values are whole numbers below 2^53 in size.
 * Value and index are packed into one double where they fit, which lets the native sort do it: ten times faster than a comparator.
 */
export function ascending(values: Float64Array | readonly number[]): Uint32Array {
  let isSorted = true;
  let lowest = Infinity;
  let highest = -Infinity;
  const order = new Uint32Array(values.length);
  for (let index = 0; index < order.length; index++) {
    order[index] = index;
    const value = values[index] ?? 0;
    if (value < highest) isSorted = false;
    else highest = value;
    if (value < lowest) lowest = value;
  }
  if (isSorted) return order;
  const scale = 2 ** Math.ceil(Math.log2(values.length));
  if ((highest - lowest + 1) * scale >= 2 ** 53)
    return order.sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0) || a - b);
  const packed = new Float64Array(values.length);
  for (let index = 0; index < packed.length; index++) packed[index] = ((values[index] ?? 0) - lowest) * scale + index;
  packed.sort();
  for (let index = 0; index < order.length; index++) order[index] = (packed[index] ?? 0) % scale;
  return order;
}

/** The values at these indexes. `TypedArray.from` would walk an iterator, which takes ten times as long. */
export function gathered(values: Float64Array | readonly number[], indexes: Uint32Array): Float64Array {
  const result = new Float64Array(indexes.length);
  for (let place = 0; place < indexes.length; place++) result[place] = values[indexes[place] ?? 0] ?? 0;
  return result;
}

/** `gathered` for numbers of 32 bits. */
export function gatheredUint32(values: Uint32Array | readonly number[], indexes: Uint32Array): Uint32Array {
  const result = new Uint32Array(indexes.length);
  for (let place = 0; place < indexes.length; place++) result[place] = values[indexes[place] ?? 0] ?? 0;
  return result;
}

/** `gathered` for signed numbers of 32 bits. */
export function gatheredInt32(values: Int32Array | readonly number[], indexes: Uint32Array): Int32Array {
  const result = new Int32Array(indexes.length);
  for (let place = 0; place < indexes.length; place++) result[place] = values[indexes[place] ?? 0] ?? 0;
  return result;
}
