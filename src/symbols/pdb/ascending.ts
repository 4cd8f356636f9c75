/** Numbers and indexes below this share one exact double. */
const mostIndexes = 2 ** 20;
const largestNumber = 2 ** 33;

/** The order in which the numbers ascend, equal ones as they stand. RVAs by the hundred thousand: sorted without calls of a comparison. */
export function ascending(numbers: ArrayLike<number>): Uint32Array {
  const { length } = numbers;
  let isSorted = true;
  let fits = length <= mostIndexes;
  for (let index = 0; index < length; index++) {
    const number = numbers[index] ?? 0;
    if (index > 0 && number < (numbers[index - 1] ?? 0)) isSorted = false;
    if (!(Math.abs(number) < largestNumber) || !Number.isInteger(number)) fits = false;
  }
  const order = new Uint32Array(length);
  for (let index = 0; index < length; index++) order[index] = index;
  if (isSorted) return order;
  if (!fits) return order.sort((a, b) => (numbers[a] ?? 0) - (numbers[b] ?? 0));
  const keys = new Float64Array(length);
  for (let index = 0; index < length; index++) keys[index] = (numbers[index] ?? 0) * mostIndexes + index;
  keys.sort();
  for (let index = 0; index < length; index++) {
    const key = keys[index] ?? 0;
    order[index] = key - Math.floor(key / mostIndexes) * mostIndexes;
  }
  return order;
}
