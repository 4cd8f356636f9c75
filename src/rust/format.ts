/** Scalars as Rust's `Debug` prints them. Pure: nothing here reads a dump. */

/** Digits and decimal exponent of a positive finite number: 0.0015 is {digits "15", exponent -3} (1.5e-3). */
interface Decimal {
  readonly digits: string;
  readonly exponent: number;
}

const decimalOf = (exponential: string): Decimal => {
  const [mantissa = "0", exponent = "0"] = exponential.split("e");
  return { digits: mantissa.replace(".", ""), exponent: Number(exponent) };
};

/** The fewest digits that read back as the same f32. */
function shortestSingle(value: number): string {
  for (let digits = 0; digits < 9; digits++) {
    const text = value.toExponential(digits);
    if (Math.fround(Number(text)) === value) return text;
  }
  return value.toExponential();
}

/** As `{:?}` of f32 or f64 (core/src/fmt/float.rs): decimal from 1e-4 to below 1e16, else with an exponent; always a ".0" in the former. */
export function formatFloat(value: number, size: 4 | 8): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const magnitude = Math.abs(value);
  if (magnitude === 0) return `${sign}0.0`;
  const { digits, exponent } = decimalOf(size === 4 ? shortestSingle(magnitude) : magnitude.toExponential());
  if (magnitude < 1e-4 || magnitude >= 1e16) {
    const rest = digits.slice(1);
    return `${sign}${digits.charAt(0)}${rest === "" ? "" : "." + rest}e${String(exponent)}`;
  }
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  return `${sign}${whole}.${digits.slice(exponent + 1) || "0"}`;
}

/** Half precision, which JavaScript has no view for on every supported Node. */
export function halfToNumber(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

const unprintable = /^[\p{C}\p{Zl}\p{Zp}\p{Zs}]$/u;

function escapeCharacter(character: string, quote: string): string {
  switch (character) {
    case "\0":
      return "\\0";
    case "\t":
      return "\\t";
    case "\n":
      return "\\n";
    case "\r":
      return "\\r";
    case "\\":
      return "\\\\";
    case " ":
      return " ";
    case quote:
      return `\\${quote}`;
    default:
      return unprintable.test(character) ? `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}` : character;
  }
}

/** A string literal as `{:?}` of str. */
export const quoteText = (text: string): string =>
  `"${Array.from(text, (character) => escapeCharacter(character, '"')).join("")}"`;

/** `undefined` when the number is no Unicode scalar value. */
export function quoteChar(code: number): string | undefined {
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined;
  return `'${escapeCharacter(String.fromCodePoint(code), "'")}'`;
}

/** Bytes as a byte-string literal without its quotes: printable ASCII as it is, the rest escaped. */
export function escapeBytes(bytes: Uint8Array): string {
  let out = "";
  for (const byte of bytes) {
    if (byte === 0x22 || byte === 0x5c) out += `\\${String.fromCharCode(byte)}`;
    else if (byte === 0x0a) out += "\\n";
    else if (byte === 0x0d) out += "\\r";
    else if (byte === 0x09) out += "\\t";
    else if (byte === 0) out += "\\0";
    else if (byte >= 0x20 && byte < 0x7f) out += String.fromCharCode(byte);
    else out += `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return out;
}

const nanosPerSecond = 1_000_000_000n;

/** As `{:?}` of `core::time::Duration`: the largest unit with a whole part, the fraction without trailing zeros. `nanos` below 10^9. */
export function formatDuration(seconds: bigint, nanos: bigint): string {
  const withFraction = (whole: bigint, fraction: bigint, digits: number, unit: string): string => {
    const text = fraction.toString().padStart(digits, "0").replace(/0+$/, "");
    return `${String(whole)}${text === "" ? "" : "." + text}${unit}`;
  };
  if (seconds > 0n) return withFraction(seconds, nanos, 9, "s");
  if (nanos >= 1_000_000n) return withFraction(nanos / 1_000_000n, nanos % 1_000_000n, 6, "ms");
  if (nanos >= 1_000n) return withFraction(nanos / 1_000n, nanos % 1_000n, 3, "µs");
  return `${String(nanos)}ns`;
}

export const isNanos = (value: bigint): boolean => value >= 0n && value < nanosPerSecond;

/** Seconds since 1970 as ISO 8601 in UTC with as many digits of the fraction as are not zero; `undefined` outside the years that JavaScript knows. */
export function formatUnixTime(seconds: bigint, nanos: bigint): string | undefined {
  if (seconds > 8_640_000_000_000n || seconds < -8_640_000_000_000n) return undefined;
  const date = new Date(Number(seconds) * 1000);
  if (Number.isNaN(date.getTime())) return undefined;
  const fraction = nanos.toString().padStart(9, "0").replace(/0+$/, "");
  return date.toISOString().replace(/\.000Z$/, fraction === "" ? "Z" : `.${fraction}Z`);
}

/** The longest run of two or more zero groups becomes `::`, as Rust and RFC 5952 write it; IPv4-mapped addresses keep dots. */
export function formatIpv6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, index) => ((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0));
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${Array.from(bytes.subarray(12, 16)).join(".")}`;
  }
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > bestLength) {
      bestStart = start;
      bestLength = length;
    }
  }
  const text = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(":");
  return bestStart < 0 ? text(0, 8) : `${text(0, bestStart)}::${text(bestStart + bestLength, 8)}`;
}

export const formatUuid = (bytes: Uint8Array): string => {
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)].join(
    "-",
  );
};
