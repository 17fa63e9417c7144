import { ErrorCode, type ZkClient, ZkError } from "@zkmesh/client"

export const childPath = (parent: string, name: string): string => (parent === "/" ? `/${name}` : `${parent}/${name}`)

/** Sorted children; undefined if the node has gone meanwhile. */
const childrenOf = async (client: ZkClient, path: string): Promise<Array<string> | undefined> => {
  try {
    return (await client.getChildren(path)).sort()
  } catch (error) {
    if (error instanceof ZkError && error.code === ErrorCode.NONODE) return undefined
    throw error
  }
}

/**
 * The paths of a subtree, parents before their children and siblings in order. The children of siblings are asked for
 * together: a wide tree costs no more round trips than it has levels times branches. Nodes that go meanwhile are left
 * out, unless it is the root itself.
 */
export async function* subtree(client: ZkClient, root: string): AsyncGenerator<string> {
  yield* walk(client, root, (await client.getChildren(root)).sort())
}

async function* walk(client: ZkClient, path: string, children: ReadonlyArray<string>): AsyncGenerator<string> {
  yield path
  const paths = children.map((name) => childPath(path, name))
  // Settled, so that no failure goes unhandled while an earlier sibling is walked.
  const grandchildren = await Promise.allSettled(paths.map((child) => childrenOf(client, child)))
  for (const [i, result] of grandchildren.entries()) {
    if (result.status === "rejected") throw result.reason
    if (result.value !== undefined) yield* walk(client, paths[i]!, result.value)
  }
}
