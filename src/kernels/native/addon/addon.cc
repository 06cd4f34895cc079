// The Node-API side: makes machines and hands their mailboxes out. Arguments come from this package's own TypeScript.
#define NAPI_VERSION 8
#include <node_api.h>

#include <cstring>
#include <new>
#include <string>

#include "commands.hpp"
#include "instruction-sets.hpp"

namespace {

using aegis::Machine;
using aegis::u32;

/** A machine that may have been disposed of. */
struct Handle {
  Machine* machine = nullptr;
};

napi_value fail(napi_env env, const char* code, const char* message) {
  napi_throw_error(env, code, message);
  return nullptr;
}

/** The arguments and the machine of a call; null after an exception was thrown. */
struct Call {
  Call(napi_env env, napi_callback_info info) {
    std::size_t count = 8;
    void* data = nullptr;
    napi_get_cb_info(env, info, &count, arguments, nullptr, &data);
    machine = static_cast<Handle*>(data)->machine;
    if (machine == nullptr) fail(env, "disposed", "the backend was disposed and is used again");
  }
  napi_value arguments[8] = {};
  Machine* machine;
};

double number(napi_env env, napi_value value) {
  double result = 0;
  napi_get_value_double(env, value, &result);
  return result;
}

template <class T>
T* typedArray(napi_env env, napi_value value, std::size_t* length) {
  void* data = nullptr;
  napi_get_typedarray_info(env, value, nullptr, length, &data, nullptr, nullptr);
  return static_cast<T*>(data);
}

napi_value toNumber(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

napi_value run(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  std::size_t none = 0;
  napi_get_cb_info(env, info, &none, nullptr, nullptr, &data);
  Machine* const machine = static_cast<Handle*>(data)->machine;
  if (machine == nullptr) return fail(env, "disposed", "the backend was disposed and is used again");
  try {
    machine->run();
  } catch (const std::bad_alloc&) {
    return fail(env, "memory", "no memory is left for the scratch of a kernel");
  }
  return nullptr;
}

/** write(address, words, logN) */
napi_value write(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (call.machine == nullptr) return nullptr;
  std::size_t length = 0;
  const u32* words = typedArray<const u32>(env, call.arguments[1], &length);
  call.machine->write(number(env, call.arguments[0]), words, length, static_cast<int>(number(env, call.arguments[2])));
  return nullptr;
}

/** reach(words): their address, for kernels that only read */
napi_value reach(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (call.machine == nullptr) return nullptr;
  std::size_t length = 0;
  return toNumber(env, call.machine->arena.address(typedArray<const u32>(env, call.arguments[0], &length)));
}

/** read(address, into, words) */
napi_value read(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (call.machine == nullptr) return nullptr;
  std::size_t length = 0;
  u32* into = typedArray<u32>(env, call.arguments[1], &length);
  const std::size_t words = static_cast<std::size_t>(number(env, call.arguments[2]));
  if (words > length) return fail(env, "range", "the array is shorter than a limb");
  std::memcpy(into, call.machine->arena.words(number(env, call.arguments[0])), words * sizeof(u32));
  return nullptr;
}

/** prime(q, q^-1 mod 2^32): its number */
napi_value prime(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (call.machine == nullptr) return nullptr;
  aegis::Prime added{};
  added.q = static_cast<u32>(number(env, call.arguments[0]));
  added.qInverse = static_cast<u32>(static_cast<std::int64_t>(number(env, call.arguments[1])));
  call.machine->primes.push_back(added);
  return toNumber(env, static_cast<double>(call.machine->primes.size() - 1));
}

napi_value twiddleBytes(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (call.machine == nullptr) return nullptr;
  const int logN = static_cast<int>(number(env, call.arguments[0]));
  return toNumber(env, static_cast<double>(call.machine->twiddleWords(logN) * sizeof(u32)));
}

/** prepareTransform(prime, logN, address, ψ, 1/N) */
napi_value prepareTransform(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (call.machine == nullptr) return nullptr;
  call.machine->prepareTransform(static_cast<std::size_t>(number(env, call.arguments[0])),
                                 static_cast<int>(number(env, call.arguments[1])), number(env, call.arguments[2]),
                                 static_cast<u32>(number(env, call.arguments[3])),
                                 static_cast<u32>(number(env, call.arguments[4])));
  return nullptr;
}

napi_value permutationBytes(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (call.machine == nullptr) return nullptr;
  const int logN = static_cast<int>(number(env, call.arguments[0]));
  return toNumber(env, static_cast<double>(call.machine->permutationWords(logN) * sizeof(u32)));
}

/** makePermutation(logN, address, Galois element) */
napi_value makePermutation(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (call.machine == nullptr) return nullptr;
  call.machine->makePermutation(static_cast<int>(number(env, call.arguments[0])), number(env, call.arguments[1]),
                                static_cast<u32>(number(env, call.arguments[2])));
  return nullptr;
}

/** conversion(sources, targets, factors): its number; quadruples, quintuples and words as `../conversion.ts` lays them out */
napi_value conversion(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (call.machine == nullptr) return nullptr;
  std::size_t sources = 0;
  std::size_t targets = 0;
  std::size_t factors = 0;
  const u32* s = typedArray<const u32>(env, call.arguments[0], &sources);
  const u32* t = typedArray<const u32>(env, call.arguments[1], &targets);
  const u32* f = typedArray<const u32>(env, call.arguments[2], &factors);
  auto made = std::make_unique<aegis::Conversion>();
  for (; sources >= 4; sources -= 4, s += 4) made->sources.push_back({s[0], s[1], s[2], s[3]});
  for (; targets >= 5; targets -= 5, t += 5) made->targets.push_back({t[0], t[1], {t[2], t[3], static_cast<int>(t[4])}});
  made->factors.assign(f, f + factors);
  call.machine->addConversion(std::move(made));
  return toNumber(env, static_cast<double>(call.machine->conversions.size() - 1));
}

/** fromInt32(address, values, logN, prime numbers) */
napi_value fromInt32(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (call.machine == nullptr) return nullptr;
  std::size_t length = 0;
  std::size_t limbs = 0;
  const u32* values = typedArray<const u32>(env, call.arguments[1], &length);
  const u32* primes = typedArray<const u32>(env, call.arguments[3], &limbs);
  const int logN = static_cast<int>(number(env, call.arguments[2]));
  if (length >> logN == 0) return fail(env, "range", "fewer values than coefficients");
  call.machine->fromInt32(number(env, call.arguments[0]), values, logN, primes, limbs);
  return nullptr;
}

/** fromDoubles(address, values, logN, prime numbers) */
napi_value fromDoubles(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (call.machine == nullptr) return nullptr;
  std::size_t length = 0;
  std::size_t limbs = 0;
  const double* values = typedArray<const double>(env, call.arguments[1], &length);
  const u32* primes = typedArray<const u32>(env, call.arguments[3], &limbs);
  const int logN = static_cast<int>(number(env, call.arguments[2]));
  if (length >> logN == 0) return fail(env, "range", "fewer values than coefficients");
  call.machine->fromDoubles(number(env, call.arguments[0]), values, logN, primes, limbs);
  return nullptr;
}

napi_value dispose(napi_env, napi_callback_info info);

void releaseMachine(Handle* handle) {
  delete handle->machine;
  handle->machine = nullptr;
}

napi_value dispose(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  std::size_t none = 0;
  napi_get_cb_info(env, info, &none, nullptr, nullptr, &data);
  releaseMachine(static_cast<Handle*>(data));
  return nullptr;
}

void addFunction(napi_env env, napi_value object, const char* name, napi_callback callback, void* data) {
  napi_value function = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, data, &function);
  napi_set_named_property(env, object, name, function);
}

/** open(bytes, name of an instruction set or "", threads): a machine, or an error with code "memory" or "instructions" */
napi_value openMachine(napi_env env, napi_callback_info info) {
  std::size_t count = 3;
  napi_value arguments[3] = {};
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  char name[16] = {};
  std::size_t length = 0;
  napi_get_value_string_utf8(env, arguments[1], name, sizeof name, &length);
  const aegis::Kernels* kernels = nullptr;
  for (const aegis::Kernels* available : aegis::availableKernels()) {
    if (kernels == nullptr && (length == 0 || std::strcmp(name, available->name) == 0)) kernels = available;
  }
  if (kernels == nullptr) return fail(env, "instructions", "this processor has no such instructions");
  Machine* machine = new (std::nothrow) Machine(static_cast<std::size_t>(number(env, arguments[0])), *kernels,
                                                static_cast<int>(number(env, arguments[2])));
  if (machine == nullptr || !machine->arena.valid()) {
    delete machine;
    return fail(env, "memory", "the system refuses to reserve this much memory");
  }
  Handle* const handle = new Handle{machine};
  napi_value object = nullptr;
  napi_create_object(env, &object);
  // The collector's call for the object is the last that uses the handle: its functions hold the object.
  napi_wrap(env, object, handle, [](napi_env, void* data, void*) {
    releaseMachine(static_cast<Handle*>(data));
    delete static_cast<Handle*>(data);
  }, nullptr, nullptr);
  napi_value mailbox = nullptr;
  void* memory = nullptr;
  napi_create_arraybuffer(env, aegis::mailboxLength * sizeof(double), &memory, &mailbox);
  machine->mailbox = static_cast<double*>(memory);
  napi_set_named_property(env, object, "mailbox", mailbox);
  napi_value set = nullptr;
  napi_create_string_utf8(env, kernels->name, NAPI_AUTO_LENGTH, &set);
  napi_set_named_property(env, object, "instructions", set);
  napi_set_named_property(env, object, "threads", toNumber(env, machine->workers.count()));
  addFunction(env, object, "run", run, handle);
  addFunction(env, object, "write", write, handle);
  addFunction(env, object, "reach", reach, handle);
  addFunction(env, object, "read", read, handle);
  addFunction(env, object, "prime", prime, handle);
  addFunction(env, object, "twiddleBytes", twiddleBytes, handle);
  addFunction(env, object, "prepareTransform", prepareTransform, handle);
  addFunction(env, object, "permutationBytes", permutationBytes, handle);
  addFunction(env, object, "makePermutation", makePermutation, handle);
  addFunction(env, object, "conversion", conversion, handle);
  addFunction(env, object, "fromInt32", fromInt32, handle);
  addFunction(env, object, "fromDoubles", fromDoubles, handle);
  addFunction(env, object, "dispose", dispose, handle);
  return object;
}

/** instructionSets(): the names of those that this processor has, the best first */
napi_value instructionSets(napi_env env, napi_callback_info) {
  napi_value list = nullptr;
  napi_create_array(env, &list);
  u32 at = 0;
  for (const aegis::Kernels* kernels : aegis::availableKernels()) {
    napi_value value = nullptr;
    napi_create_string_utf8(env, kernels->name, NAPI_AUTO_LENGTH, &value);
    napi_set_element(env, list, at++, value);
  }
  return list;
}

}  // namespace

NAPI_MODULE_INIT() {
  addFunction(env, exports, "open", openMachine, nullptr);
  addFunction(env, exports, "instructionSets", instructionSets, nullptr);
  return exports;
}
