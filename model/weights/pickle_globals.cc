#include "model/weights/pickle_globals.h"

namespace sightline::weights {
namespace {

struct Named {
  absl::string_view module;
  absl::string_view name;
  PickleGlobal what;
};

constexpr Named kGlobals[] = {
    {"collections", "OrderedDict", PickleGlobal::kDict},
    {"torch._utils", "_rebuild_tensor", PickleGlobal::kRebuildTensor},
    {"torch._utils", "_rebuild_tensor_v2", PickleGlobal::kRebuildTensor},
    {"torch._utils", "_rebuild_parameter", PickleGlobal::kRebuildParameter},
    {"torch", "Size", PickleGlobal::kSequence},
    {"__builtin__", "set", PickleGlobal::kSequence},
    {"builtins", "set", PickleGlobal::kSequence},
    {"__builtin__", "frozenset", PickleGlobal::kSequence},
    {"builtins", "frozenset", PickleGlobal::kSequence},
    {"_codecs", "encode", PickleGlobal::kEncode},
    {"numpy.core.multiarray", "_reconstruct", PickleGlobal::kArrayRebuild},
    {"numpy._core.multiarray", "_reconstruct", PickleGlobal::kArrayRebuild},
    {"numpy", "ndarray", PickleGlobal::kArrayType},
    {"numpy", "dtype", PickleGlobal::kArrayDType},
    {"numpy.core.multiarray", "scalar", PickleGlobal::kArrayScalar},
    {"numpy._core.multiarray", "scalar", PickleGlobal::kArrayScalar},
    {"argparse", "Namespace", PickleGlobal::kInert},
    {"pathlib", "PosixPath", PickleGlobal::kInert},
    {"pathlib", "WindowsPath", PickleGlobal::kInert},
    {"torch", "device", PickleGlobal::kInert},
    {"torch", "float16", PickleGlobal::kInert},
    {"torch", "bfloat16", PickleGlobal::kInert},
    {"torch", "float32", PickleGlobal::kInert},
    {"torch", "float64", PickleGlobal::kInert},
};

struct NamedStorage {
  absl::string_view name;
  DType dtype;
};

constexpr NamedStorage kStorages[] = {
    {"DoubleStorage", DType::kF64},    {"FloatStorage", DType::kF32}, {"HalfStorage", DType::kF16},
    {"BFloat16Storage", DType::kBF16}, {"LongStorage", DType::kI64},  {"IntStorage", DType::kI32},
    {"ShortStorage", DType::kI16},     {"CharStorage", DType::kI8},   {"ByteStorage", DType::kU8},
    {"BoolStorage", DType::kBool},
};

}  // namespace

std::optional<KnownGlobal> FindPickleGlobal(absl::string_view module, absl::string_view name) {
  for (const Named& global : kGlobals) {
    if (module == global.module && name == global.name) return KnownGlobal{global.what};
  }
  if (module == "torch" || module == "torch.cuda") {
    for (const NamedStorage& storage : kStorages) {
      if (name == storage.name) return KnownGlobal{PickleGlobal::kStorageType, storage.dtype};
    }
  }
  return std::nullopt;
}

}  // namespace sightline::weights
