/** Variables whose values are in files, which is how orchestrators hand out secrets. */
import { ConfigError } from "./errors.ts"
import { type Environment, isVariable } from "./sources.ts"

const SUFFIX = "_FILE"

/** `ZKMESH_NATS_PASSWORD_FILE=/run/secrets/nats-password` → (`ZKMESH_NATS_PASSWORD`, that path), for each such variable. */
export const fileVariables = (
  environment: Environment
): ReadonlyArray<{ readonly variable: string; readonly path: string; readonly source: string }> =>
  Object.entries(environment).flatMap(([source, path]) => {
    const variable = source.slice(0, -SUFFIX.length)
    if (!source.endsWith(SUFFIX) || path === undefined || path === "" || !isVariable(variable)) return []
    return [{ variable, path, source }]
  })

/**
 * The environment with what its files hold in place of their names. `textOf` gives a file's text by the variable that
 * named it. Throws ConfigError: for a variable that is given both ways, and for an empty file.
 */
export const withFiles = (environment: Environment, textOf: ReadonlyMap<string, string>): Environment => {
  const joined: Record<string, string | undefined> = { ...environment }
  for (const { variable, source } of fileVariables(environment)) {
    const given = environment[variable]
    if (given !== undefined && given !== "") {
      throw new ConfigError({ key: "", reason: `${variable} is set as well: either the value or its file`, source })
    }
    // Editors and `echo` end a file with a line's end; it belongs to no value.
    const value = (textOf.get(source) ?? "").replace(/\r?\n$/, "")
    if (value === "") throw new ConfigError({ key: "", reason: "the file is empty", source })
    joined[variable] = value
    delete joined[source]
  }
  return joined
}
