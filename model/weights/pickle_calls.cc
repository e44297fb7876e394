#include "model/weights/pickle_calls.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/pickle/latin1.h"
#include "base/status.h"
#include "model/weights/checkpoint_error.h"
#include "model/weights/strict_json.h"

namespace sightline::weights {
namespace {

// More than any of the functions takes.
constexpr size_t kMostArguments = 64;

absl::Status WrongCall(absl::string_view function) {
  return MalformedCheckpoint(absl::StrCat("holds a pickle that calls ", function, " with arguments it does not take"));
}

absl::Status WrongTensor(absl::string_view problem) {
  return MalformedCheckpoint(absl::StrCat("describes a tensor ", problem));
}

// Values in a tensor of this shape, or nothing where no memory could hold them.
std::optional<int64_t> CountOf(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  bool empty = false;
  for (const int64_t side : shape) {
    if (side < 0) return std::nullopt;
    if (side == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(count, side, &count)) {
      return std::nullopt;
    }
  }
  return empty ? 0 : count;
}

// numpy's "f4" and so on. Kinds that weights do not come in have none.
std::optional<DType> ArrayDType(const PickleValue& dtype) {
  struct Code {
    absl::string_view code;
    DType dtype;
  };
  constexpr Code kCodes[] = {{"f8", DType::kF64}, {"f4", DType::kF32}, {"f2", DType::kF16},
                             {"i8", DType::kI64}, {"i4", DType::kI32}, {"i2", DType::kI16},
                             {"i1", DType::kI8},  {"u1", DType::kU8},  {"b1", DType::kBool}};
  for (const Code& code : kCodes) {
    if (dtype.kind == PickleKind::kOther && dtype.text == code.code) return code.dtype;
  }
  return std::nullopt;
}

bool IsText(const PickleValue& value) { return value.kind == PickleKind::kText || value.kind == PickleKind::kBytes; }

std::vector<int64_t> RowMajor(const std::vector<int64_t>& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * std::max<int64_t>(1, shape[i]);
  return strides;
}

std::vector<int64_t> ColumnMajor(const std::vector<int64_t>& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = 1; i < shape.size(); ++i) strides[i] = strides[i - 1] * std::max<int64_t>(1, shape[i - 1]);
  return strides;
}

}  // namespace

absl::StatusOr<PickleValue> PickleCalls::Global(absl::string_view module, absl::string_view name) {
  const std::optional<KnownGlobal> known = FindPickleGlobal(module, name);
  if (!known) {
    return MalformedCheckpoint(
        absl::StrCat("names the Python object ", Quoted(absl::StrCat(module, ".", name)),
                     ", which no table of weights needs; it was not looked up and nothing was run"),
        "If you trust its source, save the model's state_dict() alone with torch.save and import that.");
  }
  globals_.push_back(*known);
  return PickleValue{.kind = PickleKind::kGlobal, .integer = static_cast<int64_t>(globals_.size() - 1), .text = name};
}

absl::Status PickleCalls::Malformed(absl::string_view problem) const {
  return MalformedCheckpoint(problem, "Save the model's state_dict() alone with torch.save's own settings.");
}

std::optional<std::vector<int64_t>> PickleCalls::Numbers(const PickleValue& value) const {
  if ((value.kind != PickleKind::kTuple && value.kind != PickleKind::kList) ||
      value.items.size() > limits_.max_dimensions) {
    return std::nullopt;
  }
  std::vector<int64_t> numbers;
  for (size_t i = 0; i < value.items.size(); ++i) {
    const PickleValue& item = Item(value, i);
    if (item.kind != PickleKind::kInt) return std::nullopt;
    numbers.push_back(item.integer);
  }
  return numbers;
}

absl::StatusOr<PickleId> PickleCalls::Call(PickleId function, PickleId arguments) {
  const PickleValue& callee = pickle_.at(function);
  if (callee.kind != PickleKind::kGlobal || pickle_.at(arguments).kind != PickleKind::kTuple ||
      pickle_.at(arguments).items.size() > kMostArguments) {
    return MalformedCheckpoint("holds a pickle that calls what is no function");
  }
  // A copy: what is called may add values, which moves them.
  const PickleValue given = pickle_.at(arguments);
  const absl::string_view name = callee.text;
  switch (globals_[static_cast<size_t>(callee.integer)].what) {
    case PickleGlobal::kDict: return MakeDict(given);
    case PickleGlobal::kSequence:
      if (given.items.size() != 1) return WrongCall(name);
      return given.items[0];
    case PickleGlobal::kRebuildTensor: return MakeTensor(given);
    case PickleGlobal::kRebuildParameter:
      if (given.items.empty() || !IsTensor(Item(given, 0))) return WrongCall(name);
      return given.items[0];
    case PickleGlobal::kEncode: return MakeBytes(given);
    case PickleGlobal::kArrayRebuild: return MakeArray();
    case PickleGlobal::kArrayDType:
      if (given.items.empty() || !IsText(Item(given, 0))) return WrongCall(name);
      return pickle_.Add({.kind = PickleKind::kOther, .text = Item(given, 0).text});
    case PickleGlobal::kArrayScalar: return MakeScalar(given);
    case PickleGlobal::kInert: return pickle_.Add({.kind = PickleKind::kOther});
    case PickleGlobal::kStorageType:
    case PickleGlobal::kArrayType: break;
  }
  return WrongCall(name);
}

// Empty, or, as Python 2 writes it, from a list of pairs.
absl::StatusOr<PickleId> PickleCalls::MakeDict(const PickleValue& arguments) {
  PickleValue dict{.kind = PickleKind::kDict};
  if (arguments.items.size() > 1) return WrongCall("OrderedDict");
  if (arguments.items.size() == 1) {
    const PickleValue& pairs = Item(arguments, 0);
    if (pairs.kind != PickleKind::kList) return WrongCall("OrderedDict");
    // One long list may be given to many calls.
    copied_pairs_ += pairs.items.size();
    if (copied_pairs_ > limits_.max_values) return WrongCall("OrderedDict");
    for (size_t i = 0; i < pairs.items.size(); ++i) {
      const PickleValue& pair = Item(pairs, i);
      if (pair.items.size() != 2 || pair.kind == PickleKind::kDict) return WrongCall("OrderedDict");
      dict.items.insert(dict.items.end(), pair.items.begin(), pair.items.end());
    }
  }
  return pickle_.Add(std::move(dict));
}

// (storage, offset, shape, strides, requires_grad, hooks, metadata)
absl::StatusOr<PickleId> PickleCalls::MakeTensor(const PickleValue& arguments) {
  if (arguments.items.size() < 4 || !IsStorage(Item(arguments, 0)) || Item(arguments, 1).kind != PickleKind::kInt) {
    return WrongCall("_rebuild_tensor");
  }
  if (arguments.items.size() > 6 && !Item(arguments, 6).items.empty()) {
    return WrongTensor("with flags beyond its values, which are not read");
  }
  const std::optional<std::vector<int64_t>> shape = Numbers(Item(arguments, 2));
  const std::optional<std::vector<int64_t>> strides = Numbers(Item(arguments, 3));
  if (!shape || !strides || shape->size() != strides->size()) return WrongCall("_rebuild_tensor");
  PickleTensor tensor{static_cast<size_t>(Item(arguments, 0).integer), Item(arguments, 1).integer, *shape, *strides};
  const int64_t stored = pickle_.storages[tensor.storage].count;
  const std::string described = absl::StrCat("of shape (", absl::StrJoin(*shape, ", "), ")");
  const std::optional<int64_t> count = CountOf(*shape);
  if (!count) return WrongTensor(absl::StrCat(described, ", which no memory can hold"));
  // More values than are stored is a value shown more than once; weights are not saved so, and it would let a small
  // file ask for any amount of memory.
  int64_t last = tensor.offset;
  bool within = tensor.offset >= 0 && *count <= stored;
  for (size_t i = 0; within && *count > 0 && i < shape->size(); ++i) {
    int64_t reach = 0;
    within = (*strides)[i] >= 0 && !__builtin_mul_overflow((*shape)[i] - 1, (*strides)[i], &reach) &&
             !__builtin_add_overflow(last, reach, &last);
  }
  if (!within || (*count > 0 && last >= stored)) {
    return WrongTensor(absl::StrCat(described, ", strides (", absl::StrJoin(*strides, ", "), ") and offset ",
                                    tensor.offset, " that does not lie within the ", stored, " values of its storage"));
  }
  pickle_.tensors.push_back(std::move(tensor));
  return pickle_.Add({.kind = PickleKind::kObject,
                      .type = kTensorObject,
                      .integer = static_cast<int64_t>(pickle_.tensors.size() - 1)});
}

absl::StatusOr<PickleId> PickleCalls::Persistent(PickleId persistent_id) {
  const PickleValue& id = pickle_.at(persistent_id);
  if (id.kind != PickleKind::kTuple || id.items.size() < 5 || Item(id, 0).text != "storage" ||
      Item(id, 1).kind != PickleKind::kGlobal || !IsText(Item(id, 2)) || Item(id, 4).kind != PickleKind::kInt ||
      Item(id, 4).integer < 0) {
    return MalformedCheckpoint("holds a pickle that refers to something else than a tensor's storage",
                               "Save the model's state_dict() alone with torch.save and import that.");
  }
  const KnownGlobal& type = globals_[static_cast<size_t>(Item(id, 1).integer)];
  if (type.what != PickleGlobal::kStorageType) return WrongTensor("whose storage has no type of numbers");
  PickleStorage storage{.dtype = type.dtype, .key = Item(id, 2).text, .count = Item(id, 4).integer};
  if (id.items.size() > 5 && Item(id, 5).kind != PickleKind::kNone) {
    const PickleValue& view = Item(id, 5);  // (key, offset, count)
    if (view.items.size() != 3 || Item(view, 1).kind != PickleKind::kInt || Item(view, 2).kind != PickleKind::kInt) {
      return WrongTensor("whose storage is no part of another");
    }
    const int64_t whole = storage.count;
    storage.offset = Item(view, 1).integer;
    storage.count = Item(view, 2).integer;
    if (storage.offset < 0 || storage.count < 0 || storage.offset > whole || storage.count > whole - storage.offset) {
      return WrongTensor("whose storage is no part of another");
    }
  }
  pickle_.storages.push_back(storage);
  return pickle_.Add({.kind = PickleKind::kObject,
                      .type = kStorageObject,
                      .integer = static_cast<int64_t>(pickle_.storages.size() - 1)});
}

// The bytes behind a text of the code points 0 to 255.
absl::StatusOr<PickleId> PickleCalls::MakeBytes(const PickleValue& arguments) {
  if (arguments.items.size() != 2 || Item(arguments, 0).kind != PickleKind::kText ||
      (Item(arguments, 1).text != "latin1" && Item(arguments, 1).text != "latin-1")) {
    return WrongCall("encode");
  }
  const absl::string_view text = Item(arguments, 0).text;
  owned_bytes_ += text.size();
  if (owned_bytes_ > limits_.max_bytes) {
    return MalformedCheckpoint(absl::StrCat("holds more than ", limits_.max_bytes, " bytes of numpy arrays"));
  }
  std::optional<std::string> bytes = base::Latin1Bytes(text);
  if (!bytes.has_value()) return WrongCall("encode");
  pickle_.owned.push_back(*std::move(bytes));
  return pickle_.Add({.kind = PickleKind::kBytes, .text = pickle_.owned.back()});
}

PickleId PickleCalls::MakeArray() {
  pickle_.storages.push_back({.inline_bytes = absl::string_view()});
  pickle_.tensors.push_back({.storage = pickle_.storages.size() - 1, .offset = 0, .shape = {0}, .strides = {1}});
  return pickle_.Add({.kind = PickleKind::kObject,
                      .type = kTensorObject,
                      .integer = static_cast<int64_t>(pickle_.tensors.size() - 1)});
}

absl::StatusOr<PickleId> PickleCalls::MakeScalar(const PickleValue& arguments) {
  if (arguments.items.size() != 2) return WrongCall("numpy's scalar");
  const std::optional<DType> dtype = ArrayDType(Item(arguments, 0));
  if (!dtype) return pickle_.Add({.kind = PickleKind::kOther});
  const absl::string_view bytes = Item(arguments, 1).text;
  if (bytes.size() != static_cast<size_t>(DTypeBytes(*dtype))) return WrongCall("numpy's scalar");
  float value = 0;
  ToFloats(*dtype, bytes, absl::MakeSpan(&value, 1));
  return pickle_.Add({.kind = PickleKind::kFloat, .real = value});
}

absl::Status PickleCalls::SetState(PickleId target, PickleId state) {
  const PickleValue& object = pickle_.at(target);
  const PickleValue& given = pickle_.at(state);
  switch (object.kind) {
    case PickleKind::kDict: return absl::OkStatus();  // versions of the modules, beside the items
    case PickleKind::kOther:
      // Of a numpy dtype: (version, byte order, ...).
      if (!object.text.empty() && given.items.size() > 1 && Item(given, 1).text == ">") {
        return WrongTensor("of big-endian values, which are not read");
      }
      return absl::OkStatus();
    case PickleKind::kObject: {
      if (!IsTensor(object)) break;
      PickleTensor& tensor = pickle_.tensors[static_cast<size_t>(object.integer)];
      if (pickle_.storages[tensor.storage].inline_bytes) return FillArray(tensor, given);
      break;
    }
    default: break;
  }
  return MalformedCheckpoint("holds a pickle that gives a state to what has none");
}

// (version, shape, dtype, column-major, bytes)
absl::Status PickleCalls::FillArray(PickleTensor& array, const PickleValue& state) {
  if (state.kind != PickleKind::kTuple || state.items.size() != 5) return WrongCall("numpy's __setstate__");
  const std::optional<std::vector<int64_t>> shape = Numbers(Item(state, 1));
  const std::optional<DType> dtype = ArrayDType(Item(state, 2));
  // Arrays of texts or objects hold no weights; what they hold does not matter.
  if (!dtype) return absl::OkStatus();
  const std::optional<int64_t> count = shape ? CountOf(*shape) : std::nullopt;
  const PickleValue& bytes = Item(state, 4);
  int64_t size = 0;
  if (!count || !IsText(bytes) || __builtin_mul_overflow(*count, DTypeBytes(*dtype), &size) ||
      size != static_cast<int64_t>(bytes.text.size())) {
    return WrongTensor("as a numpy array whose bytes do not fit its shape");
  }
  PickleStorage& storage = pickle_.storages[array.storage];
  storage.dtype = *dtype;
  storage.count = *count;
  storage.inline_bytes = bytes.text;
  array.shape = *shape;
  array.strides = Item(state, 3).integer != 0 ? ColumnMajor(*shape) : RowMajor(*shape);
  return absl::OkStatus();
}

}  // namespace sightline::weights
