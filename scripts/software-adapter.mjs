/**
 * Lets tests open a WebGPU adapter on a machine without a GPU: SwiftShader, as it comes with Chromium. The
 * Vulkan loader reads both variables when a process first looks for adapters, the system's linker the second one
 * when the process starts: they are set here for the processes that are started later.
 */
import { existsSync } from "node:fs";
import { delimiter } from "node:path";

const folder = "/usr/lib/chromium";
const driver = `${folder}/vk_swiftshader_icd.json`;

/** Does nothing when a driver was chosen already, or when this one is not installed. */
export function chooseSoftwareAdapter(environment = process.env) {
  if (environment.VK_ICD_FILENAMES !== undefined || !existsSync(driver)) return;
  environment.VK_ICD_FILENAMES = driver;
  environment.LD_LIBRARY_PATH = [environment.LD_LIBRARY_PATH, folder].filter(Boolean).join(delimiter);
}
