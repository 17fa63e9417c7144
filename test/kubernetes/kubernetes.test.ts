import { existsSync, readdirSync, readFileSync } from "node:fs"
import { basename, join, resolve } from "node:path"
import { Deployment } from "kubernetes-models/apps/v1/Deployment"
import { StatefulSet } from "kubernetes-models/apps/v1/StatefulSet"
import { HorizontalPodAutoscaler } from "kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler"
import { PodDisruptionBudget } from "kubernetes-models/policy/v1/PodDisruptionBudget"
import { Service } from "kubernetes-models/v1/Service"
import { assert, describe, it } from "vitest"
import { parse, parseAllDocuments } from "yaml"

const DIRECTORY = resolve(import.meta.dirname, "../../infra/kubernetes")

interface Resource {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly selector?: { readonly matchLabels?: Record<string, string> }
    readonly scaleTargetRef?: { readonly name: string }
    readonly template?: {
      readonly metadata: { readonly labels: Record<string, string> }
      readonly spec: {
        readonly containers: ReadonlyArray<{
          readonly name: string
          readonly readinessProbe?: unknown
          readonly resources?: { readonly limits?: unknown }
        }>
      }
    }
  }
}

const validators: Record<string, new (data: never) => { validate(): void }> = {
  "apps/v1 Deployment": Deployment,
  "apps/v1 StatefulSet": StatefulSet,
  "autoscaling/v2 HorizontalPodAutoscaler": HorizontalPodAutoscaler,
  "policy/v1 PodDisruptionBudget": PodDisruptionBudget,
  "v1 Service": Service
}

const validate = (resource: Resource): void => {
  const Model = validators[`${resource.apiVersion} ${resource.kind}`]
  if (Model === undefined) throw new Error(`no schema for ${resource.apiVersion} ${resource.kind}`)
  new Model(resource as never).validate()
}

const kustomization = parse(readFileSync(join(DIRECTORY, "kustomization.yaml"), "utf8")) as {
  readonly resources: ReadonlyArray<string>
  readonly configMapGenerator: ReadonlyArray<{ readonly files: ReadonlyArray<string> }>
  readonly secretGenerator: ReadonlyArray<{ readonly name: string; readonly files: ReadonlyArray<string> }>
}
const resources = kustomization.resources.flatMap((file) =>
  parseAllDocuments(readFileSync(join(DIRECTORY, file), "utf8")).map((document) => document.toJS() as Resource)
)

describe("infra/kubernetes", () => {
  it("names every file that it has, and has every file that it names", () => {
    const generated = [...kustomization.configMapGenerator, ...kustomization.secretGenerator]
    const files = generated.flatMap((one) => one.files).map((file) => file.replace(/^.*=/, ""))
    const named = [...kustomization.resources, ...files]
    for (const file of named) assert.isTrue(existsSync(join(DIRECTORY, file)), file)
    const yaml = readdirSync(DIRECTORY).filter((file) => file.endsWith(".yaml") && file !== "kustomization.yaml")
    assert.sameMembers([...kustomization.resources], yaml)
  })

  it.each(resources.map((one) => [`${one.kind} ${one.metadata.name}`, one] as const))(
    "has a %s that Kubernetes' schema accepts",
    (_, resource) => validate(resource)
  )

  it("would see what the schema refuses", () => {
    const wrong = structuredClone(resources.find(({ kind }) => kind === "StatefulSet")!) as unknown as {
      spec: { replicas: unknown }
    }
    wrong.spec.replicas = "three"
    assert.throws(() => validate(wrong as unknown as Resource))
  })

  it("probes and limits every container, and disrupts each kind of pod one at a time", () => {
    const workloads = resources.filter(({ spec }) => spec.template !== undefined)
    assert.lengthOf(workloads, 4)
    for (const { metadata, spec } of workloads) {
      for (const container of spec.template!.spec.containers) {
        assert.isDefined(container.readinessProbe, `${metadata.name}/${container.name}`)
        assert.isDefined(container.resources?.limits, `${metadata.name}/${container.name}`)
      }
      for (const [label, value] of Object.entries(spec.selector!.matchLabels!)) {
        assert.strictEqual(spec.template!.metadata.labels[label], value)
      }
      const budget = resources.find((one) => one.kind === "PodDisruptionBudget" && one.metadata.name === metadata.name)
      assert.deepStrictEqual(budget?.spec.selector, spec.selector)
    }
  })

  it("hands out passwords as files of a Secret, never as a variable's value", () => {
    const text = kustomization.resources.map((file) => readFileSync(join(DIRECTORY, file), "utf8")).join("")
    for (const { files } of kustomization.secretGenerator) {
      for (const file of files.filter((one) => one.endsWith("-password"))) {
        assert.include(text, `/run/secrets/zkmesh/${basename(file)}`)
        assert.notInclude(text, readFileSync(join(DIRECTORY, file), "utf8").trim())
      }
    }
    assert.notInclude(text, "secretKeyRef")
  })

  it("scales by load what exists", () => {
    const scaled = resources.flatMap(({ spec }) => spec.scaleTargetRef?.name ?? [])
    assert.sameMembers(scaled, ["frontend", "frontend-replica"])
  })
})
