/** A `Base` that only code which says so may take for a `Name`: keeps the different kinds of number apart at no cost at run time. */
export type Brand<Base, Name extends string> = Base & { readonly __brand: Name };

/** An absolute address in the dumped process. Below 2^53; user space of x86-64 and aarch64 fits. */
export type Address = Brand<number, "Address">;
/** An address as the module's own file counts it (ELF `p_vaddr`/`st_value`; for PE the RVA). `Address` = `LinkAddress` + the module's load bias. */
export type LinkAddress = Brand<number, "LinkAddress">;
/** A byte position in a file. */
export type FileOffset = Brand<number, "FileOffset">;

/** Takes a number that the caller knows to be an absolute address. */
export const address = (value: number): Address => value as Address;
/** Takes a number that the caller knows to be an address of the module's file. */
export const linkAddress = (value: number): LinkAddress => value as LinkAddress;
/** Takes a number that the caller knows to be a position in a file. */
export const fileOffset = (value: number): FileOffset => value as FileOffset;

/** `bias` may be negative or zero; the sum wraps nowhere since both stay below 2^53. */
export const toAddress = (link: LinkAddress, bias: number): Address => (link + bias) as Address;
export const toLinkAddress = (absolute: Address, bias: number): LinkAddress => (absolute - bias) as LinkAddress;

/** `0x` and lower-case digits: the form of every address in reports. */
export const hex = (value: number | bigint): string => "0x" + value.toString(16);
