// Checking arguments with any library that implements Standard Schema: zod, valibot, arktype
// and others.

/** The part of Standard Schema (version 1) that is used here. */
export interface Schema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** What a schema says of a value. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** What is wrong with a value. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** Schemas of events' arguments, each of all arguments as one tuple, by the events' names. */
export type Schemas<Events> = { [Name in keyof Events]?: Schema<any, any> };

/** What has come of checking arguments. */
export type Checked = { args: unknown[] } | { error: string };

/** Checks arguments. */
export function validate(schema: Schema, args: unknown[]): Checked | Promise<Checked> {
  const result = schema["~standard"].validate(args);
  return result instanceof Promise ? result.then(checked) : checked(result);
}

function checked(result: SchemaResult<unknown>): Checked {
  if (result.issues) return { error: result.issues.map(describe).join("; ") };
  if (!Array.isArray(result.value)) return { error: "the schema of an event has to be that of a tuple" };
  return { args: result.value };
}

function describe({ path, message }: SchemaIssue): string {
  const keys = (path ?? []).map((part) => String(typeof part === "object" ? part.key : part));
  const [first, ...rest] = keys;
  if (first === undefined) return message;
  // People count from one.
  const where = [`argument ${Number(first) + 1}`, ...rest].join(".");
  return `${where}: ${message}`;
}
