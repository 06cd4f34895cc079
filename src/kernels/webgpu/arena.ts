/** The memory on the adapter and the kernels over it: chunk buffers that stay, pipelines by number of chunks. */
import { bufferUsage, computeStage } from "./constants.ts";
import { parameterWords } from "./protocol.ts";
import { kernels, source } from "./shaders/kernels.ts";
import { bindings } from "./shaders/prelude.ts";

export class Arena {
  readonly #device: GPUDevice;
  readonly #chunkWords: number;
  readonly #parameters: GPUBuffer;
  readonly #stage: GPUBuffer;
  readonly #threads: number;
  readonly #chunks: GPUBuffer[] = [];
  #layout!: GPUPipelineLayout;
  #pipelines: (GPUComputePipeline | undefined)[] = [];
  /** Binds everything; one dynamic offset, that of the parameters. */
  group!: GPUBindGroup;

  /**
   * @param chunkBytes a power of two
   * @param threads of a workgroup where many threads work together
   */
  constructor(device: GPUDevice, chunkBytes: number, parameters: GPUBuffer, stage: GPUBuffer, threads: number) {
    this.#device = device;
    this.#threads = threads;
    this.#chunkWords = chunkBytes / 4;
    this.#parameters = parameters;
    this.#stage = stage;
  }

  /** Makes chunks until there are `count`; false when memory is refused. Commands of the old arena must be submitted. */
  async grow(count: number): Promise<boolean> {
    const { storage, copySource, copyTarget } = bufferUsage;
    while (this.#chunks.length < count) {
      this.#device.pushErrorScope("validation");
      this.#device.pushErrorScope("out-of-memory");
      const size = 4 * this.#chunkWords;
      const chunk = this.#device.createBuffer({ size, usage: storage | copySource | copyTarget });
      const errors = await Promise.all([this.#device.popErrorScope(), this.#device.popErrorScope()]);
      if (errors.some((error) => error !== null)) {
        chunk.destroy();
        return false;
      }
      this.#chunks.push(chunk);
      this.#bind();
    }
    return true;
  }

  #bind(): void {
    const device = this.#device;
    const visibility = computeStage;
    const layout = device.createBindGroupLayout({
      entries: [
        {
          binding: bindings.parameters,
          visibility,
          buffer: { type: "uniform", hasDynamicOffset: true, minBindingSize: 4 * parameterWords },
        },
        { binding: bindings.stage, visibility, buffer: { type: "read-only-storage" } },
        ...this.#chunks.map(
          (_, i): GPUBindGroupLayoutEntry => ({
            binding: bindings.chunks + i,
            visibility,
            buffer: { type: "storage" },
          }),
        ),
      ],
    });
    this.#layout = device.createPipelineLayout({ bindGroupLayouts: [layout] });
    this.group = device.createBindGroup({
      layout,
      entries: [
        { binding: bindings.parameters, resource: { buffer: this.#parameters, size: 4 * parameterWords } },
        { binding: bindings.stage, resource: { buffer: this.#stage } },
        ...this.#chunks.map((buffer, i) => ({ binding: bindings.chunks + i, resource: { buffer } })),
      ],
    });
    this.#pipelines = [];
  }

  /** The pipeline of a kernel by its number. */
  pipeline(number: number): GPUComputePipeline {
    let pipeline = this.#pipelines[number];
    if (pipeline === undefined) {
      const kernel = kernels[number];
      const code = source(kernel, this.#chunks.length, Math.log2(this.#chunkWords), this.#threads);
      pipeline = this.#device.createComputePipeline({
        label: kernel,
        layout: this.#layout,
        compute: { module: this.#device.createShaderModule({ label: kernel, code }), entryPoint: "main" },
      });
      this.#pipelines[number] = pipeline;
    }
    return pipeline;
  }

  /** Buffer and byte offset of a word. */
  locate(word: number): [GPUBuffer, number] {
    return [this.#chunks[Math.floor(word / this.#chunkWords)], 4 * (word % this.#chunkWords)];
  }
}
