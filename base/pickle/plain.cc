#include "base/pickle/plain.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/byte_reader.h"
#include "base/pickle/latin1.h"
#include "base/pickle/machine.h"
#include "base/status.h"

namespace sightline::base {
namespace {

// What a known name stands for; PickleValue::integer of a kGlobal.
enum PlainGlobal : int64_t {
  kDictType,
  kSetType,
  kEncode,
  kArrayRebuild,
  kArrayType,
  kArrayDType,
  kArrayScalar,
  kArrayBuffer
};

struct PlainName {
  absl::string_view module;
  absl::string_view name;
  PlainGlobal what;
};

constexpr PlainName kPlainNames[] = {
    {"collections", "OrderedDict", kDictType},
    {"__builtin__", "set", kSetType},
    {"builtins", "set", kSetType},
    {"__builtin__", "frozenset", kSetType},
    {"builtins", "frozenset", kSetType},
    {"_codecs", "encode", kEncode},
    {"numpy.core.multiarray", "_reconstruct", kArrayRebuild},
    {"numpy._core.multiarray", "_reconstruct", kArrayRebuild},
    {"numpy", "ndarray", kArrayType},
    {"numpy", "dtype", kArrayDType},
    {"numpy.core.multiarray", "scalar", kArrayScalar},
    {"numpy._core.multiarray", "scalar", kArrayScalar},
    {"numpy.core.numeric", "_frombuffer", kArrayBuffer},
    {"numpy._core.numeric", "_frombuffer", kArrayBuffer},
};

// "i8", "u2", "f4", "b1": the kind and the width in bytes of numpy's numbers; "O" is a reference to any value.
struct NumberType {
  char kind = 0;
  size_t width = 0;
};

std::optional<NumberType> NumberTypeOf(const PickleValue& dtype) {
  if (dtype.kind != PickleKind::kOther || dtype.text.size() < 2) return std::nullopt;
  const char kind = dtype.text[0];
  const absl::string_view width = dtype.text.substr(1);
  if (kind == 'b' && width == "1") return NumberType{kind, 1};
  if (kind == 'O' && width == "8") return NumberType{kind, 8};
  if ((kind == 'i' || kind == 'u') && (width == "1" || width == "2" || width == "4" || width == "8")) {
    return NumberType{kind, static_cast<size_t>(width[0] - '0')};
  }
  if (kind == 'f' && (width == "4" || width == "8")) return NumberType{kind, static_cast<size_t>(width[0] - '0')};
  return std::nullopt;
}

// One number of little-endian bytes. Unsigned numbers beyond int64 wrap: no benchmark counts so far.
PickleValue NumberOf(NumberType type, absl::string_view bytes) {
  const uint64_t bits = *ByteReader(bytes).Little(type.width);
  switch (type.kind) {
    case 'f':
      return {
          .kind = PickleKind::kFloat,
          .real = type.width == 4 ? std::bit_cast<float>(static_cast<uint32_t>(bits)) : std::bit_cast<double>(bits)};
    case 'b': return {.kind = PickleKind::kBool, .integer = bits != 0 ? 1 : 0};
    case 'i': {
      const unsigned unused = 64 - 8 * static_cast<unsigned>(type.width);
      return {.kind = PickleKind::kInt, .integer = static_cast<int64_t>(bits << unused) >> unused};
    }
    default: return {.kind = PickleKind::kInt, .integer = static_cast<int64_t>(bits)};
  }
}

class PlainObjects : public PickleObjects {
 public:
  PlainObjects(PickleTree& tree, const PickleLimits& limits) : tree_(tree), limits_(limits) {}

  absl::Status Malformed(absl::string_view problem) const override {
    return InvalidArgument("MALFORMED_PICKLE", absl::StrCat("the file ", problem, ". Download or export it again."));
  }

  absl::StatusOr<PickleValue> Global(absl::string_view module, absl::string_view name) override {
    for (const PlainName& known : kPlainNames) {
      if (module == known.module && name == known.name) {
        return PickleValue{.kind = PickleKind::kGlobal, .integer = known.what, .text = known.name};
      }
    }
    const std::string shown = absl::CHexEscape(absl::StrCat(module, ".", name).substr(0, 120));
    return InvalidArgument("MALFORMED_PICKLE",
                           absl::StrCat("the file names the Python object \"", shown,
                                        "\", which plain data does not need; it was not looked up and nothing was "
                                        "run. Export lists, dicts, texts and numbers alone."));
  }

  absl::StatusOr<PickleId> Call(PickleId function, PickleId arguments) override {
    const PickleValue& callee = tree_.at(function);
    if (callee.kind != PickleKind::kGlobal || tree_.at(arguments).kind != PickleKind::kTuple) {
      return Malformed("holds a pickle that calls what is no function");
    }
    const std::vector<PickleId> given =
        tree_.at(arguments).items.size() > 4 ? std::vector<PickleId>() : tree_.at(arguments).items;
    const absl::string_view name = callee.text;
    switch (callee.integer) {
      case kDictType:
        if (!tree_.at(arguments).items.empty()) return WrongCall(name);
        return tree_.Add({.kind = PickleKind::kDict});
      case kSetType:
        if (given.size() != 1 || tree_.at(given[0]).kind != PickleKind::kList) return WrongCall(name);
        return given[0];
      case kEncode: return MakeBytes(given);
      case kArrayRebuild: {
        const PickleId array = tree_.Add({.kind = PickleKind::kList});
        arrays_.insert(array);
        return array;
      }
      case kArrayDType:
        if (given.empty() || !IsBytes(tree_.at(given[0]))) return WrongCall(name);
        return tree_.Add({.kind = PickleKind::kOther, .text = tree_.at(given[0]).text});
      case kArrayScalar: {
        const std::optional<NumberType> type = given.size() == 2 ? NumberTypeOf(tree_.at(given[0])) : std::nullopt;
        if (!type || type->kind == 'O' || !IsBytes(tree_.at(given[1])) ||
            tree_.at(given[1]).text.size() != type->width) {
          return WrongCall("numpy's scalar");
        }
        return tree_.Add(NumberOf(*type, tree_.at(given[1]).text));
      }
      case kArrayBuffer: {  // (bytes, dtype, shape, order)
        if (given.size() != 4) return WrongCall("numpy's _frombuffer");
        const PickleId array = tree_.Add({.kind = PickleKind::kList});
        SIGHTLINE_RETURN_IF_ERROR(FillArray(array, given[2], given[1], tree_.at(given[3]).text == "F", given[0]));
        return array;
      }
      default: return WrongCall(name);
    }
  }

  absl::Status SetState(PickleId target, PickleId state) override {
    const std::vector<PickleId>& given = tree_.at(state).items;
    if (tree_.at(target).kind == PickleKind::kOther) {
      // Of a numpy dtype: (version, byte order, ...).
      if (given.size() > 1 && tree_.at(given[1]).text == ">") {
        return Malformed("holds a numpy array of big-endian values, which are not read");
      }
      return absl::OkStatus();
    }
    if (arrays_.erase(target) == 0) return Malformed("holds a pickle that gives a state to what has none");
    // (version, shape, dtype, column-major, bytes or list)
    if (given.size() != 5) return WrongCall("numpy's __setstate__");
    return FillArray(target, given[1], given[2], tree_.at(given[3]).integer != 0, given[4]);
  }

  absl::StatusOr<PickleId> Persistent(PickleId) override {
    return Malformed("holds a pickle that refers to something outside of it");
  }

 private:
  static bool IsBytes(const PickleValue& value) {
    return value.kind == PickleKind::kText || value.kind == PickleKind::kBytes;
  }

  absl::Status WrongCall(absl::string_view function) const {
    return Malformed(absl::StrCat("holds a pickle that calls ", function, " with arguments it does not take"));
  }

  // The bytes behind a text of the code points 0 to 255: how protocol 2 writes bytes.
  absl::StatusOr<PickleId> MakeBytes(const std::vector<PickleId>& given) {
    if (given.size() != 2 || tree_.at(given[0]).kind != PickleKind::kText ||
        (tree_.at(given[1]).text != "latin1" && tree_.at(given[1]).text != "latin-1")) {
      return WrongCall("encode");
    }
    const absl::string_view text = tree_.at(given[0]).text;
    // One long text may be given to many calls.
    owned_bytes_ += text.size();
    if (owned_bytes_ > limits_.max_bytes) {
      return Malformed(absl::StrCat("holds more than ", limits_.max_bytes, " bytes of numpy arrays"));
    }
    std::optional<std::string> bytes = Latin1Bytes(text);
    if (!bytes.has_value()) return WrongCall("encode");
    tree_.owned.push_back(*std::move(bytes));
    return tree_.Add({.kind = PickleKind::kBytes, .text = tree_.owned.back()});
  }

  absl::Status WrongArray() const { return Malformed("holds a numpy array whose values do not fit its shape"); }

  absl::Status FillArray(PickleId array, PickleId shape_id, PickleId dtype, bool column_major, PickleId content_id) {
    const PickleValue& shape_value = tree_.at(shape_id);
    const std::optional<NumberType> type = NumberTypeOf(tree_.at(dtype));
    if (!type) return Malformed("holds a numpy array of neither numbers nor Python objects, which is not read");
    const std::vector<PickleId>& sides = shape_value.items;
    if (shape_value.kind != PickleKind::kTuple || sides.size() > limits_.max_dimensions) return WrongArray();
    if (column_major && sides.size() > 1) {
      return Malformed("holds a numpy array in column-major order, which is not read");
    }
    const PickleValue& content = tree_.at(content_id);
    std::vector<size_t> shape;
    size_t count = 1;
    const size_t stored = type->kind == 'O' ? content.items.size() : content.text.size() / type->width;
    for (const PickleId side : sides) {
      const PickleValue& length = tree_.at(side);
      if (length.kind != PickleKind::kInt || length.integer < 0 ||
          __builtin_mul_overflow(count, static_cast<size_t>(length.integer), &count)) {
        return WrongArray();
      }
      shape.push_back(static_cast<size_t>(length.integer));
    }
    const bool fits = type->kind == 'O'
                          ? content.kind == PickleKind::kList && count == stored
                          : IsBytes(content) && count == stored && content.text.size() == stored * type->width;
    if (!fits) return WrongArray();
    // Rows are values too, and there may be many empty ones: they are counted before they are made.
    size_t needed = type->kind == 'O' ? 0 : count;
    size_t rows = 1;
    for (size_t i = 0; i + 1 < shape.size(); ++i) {
      if (__builtin_mul_overflow(rows, shape[i], &rows) || __builtin_add_overflow(needed, rows, &needed)) {
        return WrongArray();
      }
    }
    // One long list of objects may be given to many arrays, each of which refers to them anew.
    if (type->kind == 'O') shown_objects_ += count;
    if (shown_objects_ > limits_.max_values ||
        needed > limits_.max_values - std::min(limits_.max_values, tree_.values.size())) {
      return Malformed(absl::StrCat("holds a pickle of more than ", limits_.max_values, " values"));
    }
    // Copies: values are added below, which moves them.
    std::vector<PickleId> items = content.items;
    if (type->kind != 'O') {
      const absl::string_view bytes = content.text;
      items.clear();
      for (size_t i = 0; i < count; ++i) items.push_back(tree_.Add(NumberOf(*type, bytes.substr(i * type->width))));
    }
    // From the innermost rows outwards.
    for (size_t i = shape.size(); i-- > 1;) {
      size_t lists = 1;
      for (size_t outer = 0; outer < i; ++outer) lists *= shape[outer];
      std::vector<PickleId> level;
      for (size_t list = 0; list < lists; ++list) {
        const auto begin = items.begin() + static_cast<std::ptrdiff_t>(list * shape[i]);
        level.push_back(
            tree_.Add({.kind = PickleKind::kList, .items = {begin, begin + static_cast<std::ptrdiff_t>(shape[i])}}));
      }
      items = std::move(level);
    }
    tree_.values[array].items = std::move(items);
    return absl::OkStatus();
  }

  PickleTree& tree_;
  const PickleLimits& limits_;
  std::unordered_set<PickleId> arrays_;  // made and not filled
  size_t owned_bytes_ = 0;
  size_t shown_objects_ = 0;  // by arrays of them
};

}  // namespace

absl::StatusOr<PickleTree> ReadPlainPickle(absl::string_view bytes, const PickleLimits& limits) {
  PickleTree tree;
  PlainObjects objects(tree, limits);
  SIGHTLINE_RETURN_IF_ERROR(RunPickle(bytes, limits, objects, &tree));
  return tree;
}

}  // namespace sightline::base
