#include "model/weights/pickle.h"

#include <bit>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "model/weights/byte_reader.h"
#include "model/weights/checkpoint_error.h"
#include "model/weights/pickle_calls.h"
#include "model/weights/pickle_globals.h"
#include "model/weights/strict_json.h"

namespace sightline::weights {
namespace {

constexpr int kNewestProtocol = 3;
constexpr PickleId kNoneId = 0;

absl::Status CutOff() { return MalformedCheckpoint("holds a pickle that is cut off"); }

absl::Status Senseless(absl::string_view what) {
  return MalformedCheckpoint(absl::StrCat("holds a pickle that ", what));
}

class PickleReader {
 public:
  PickleReader(absl::string_view bytes, const PickleLimits& limits)
      : limits_(limits), reader_(bytes), calls_(pickle_, limits) {
    pickle_.values.emplace_back();  // the only None
  }

  absl::StatusOr<Pickle> Read() {
    while (!stopped_) {
      const std::optional<uint64_t> operation = reader_.Little(1);
      if (!operation) return CutOff();
      SIGHTLINE_RETURN_IF_ERROR(Step(static_cast<unsigned char>(*operation)));
      if (pickle_.values.size() > limits_.max_values || stack_.size() > limits_.max_values ||
          memo_.size() > limits_.max_values) {
        return MalformedCheckpoint(absl::StrCat("holds a pickle of more than ", limits_.max_values, " values"),
                                   "Save the model's state_dict() alone.");
      }
    }
    pickle_.bytes = reader_.position();
    if (HoldsItself()) return Senseless("contains itself");
    return std::move(pickle_);
  }

 private:
  absl::Status Step(unsigned char operation) {
    switch (operation) {
      case 0x80: return Protocol();
      case '.': return Stop();
      case '(': marks_.push_back(stack_.size()); return absl::OkStatus();
      case '0': return Pop().status();
      case 'N': stack_.push_back(kNoneId); return absl::OkStatus();
      case 0x88: return Push({.kind = PickleKind::kBool, .integer = 1});
      case 0x89: return Push({.kind = PickleKind::kBool, .integer = 0});
      case 'K': return Whole(1);
      case 'M': return Whole(2);
      case 'J': return Whole(4);
      case 0x8a: return Long(1);
      case 0x8b: return Long(4);
      case 'G': return Float();
      case 'X': return Text(PickleKind::kText, 4);
      case 'T': return Text(PickleKind::kText, 4);  // a text of Python 2
      case 'U': return Text(PickleKind::kText, 1);
      case 'B': return Text(PickleKind::kBytes, 4);
      case 'C': return Text(PickleKind::kBytes, 1);
      case '}': return Push({.kind = PickleKind::kDict});
      case ']': return Push({.kind = PickleKind::kList});
      case ')': return Push({.kind = PickleKind::kTuple});
      case 't': return TupleToMark();
      case 0x85: return Tuple(1);
      case 0x86: return Tuple(2);
      case 0x87: return Tuple(3);
      case 'a': return Append();
      case 'e': return ExtendToMark(PickleKind::kList);
      case 's': return SetItem();
      case 'u': return ExtendToMark(PickleKind::kDict);
      case 'q': return Put(1);
      case 'r': return Put(4);
      case 'h': return Get(1);
      case 'j': return Get(4);
      case 'c': return Global();
      case 'R': return Call();
      case 0x81: return Call();
      case 'b': return Build();
      case 'Q': return Persistent();
      default:
        return MalformedCheckpoint(
            absl::StrFormat("holds a pickle with the operation 0x%02x, which torch.save's protocol 2 does not use",
                            operation),
            "Save the model's state_dict() with torch.save's own settings.");
    }
  }

  absl::Status Protocol() {
    const std::optional<uint64_t> protocol = reader_.Little(1);
    if (!protocol) return CutOff();
    if (*protocol <= kNewestProtocol) return absl::OkStatus();
    return MalformedCheckpoint(absl::StrCat("is pickled with protocol ", *protocol, "; 2 and 3 are read"),
                               "Save it with torch.save's default, protocol 2.");
  }

  absl::Status Stop() {
    SIGHTLINE_ASSIGN_OR_RETURN(pickle_.root, Pop());
    if (!stack_.empty() || !marks_.empty()) return Senseless("leaves values behind");
    stopped_ = true;
    return absl::OkStatus();
  }

  absl::Status Push(PickleValue value) {
    stack_.push_back(static_cast<PickleId>(pickle_.values.size()));
    pickle_.values.push_back(std::move(value));
    return absl::OkStatus();
  }

  // Never reaches below the last mark.
  absl::StatusOr<PickleId> Pop() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) return Senseless("takes more values than it has");
    const PickleId top = stack_.back();
    stack_.pop_back();
    return top;
  }

  absl::StatusOr<std::vector<PickleId>> PopToMark() {
    if (marks_.empty()) return Senseless("ends a group that it did not begin");
    const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<PickleId> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return items;
  }

  absl::Status Whole(size_t width) {
    const std::optional<uint64_t> number = reader_.Little(width);
    if (!number) return CutOff();
    // Only the widest has a sign.
    const int64_t value =
        width == 4 ? static_cast<int32_t>(static_cast<uint32_t>(*number)) : static_cast<int64_t>(*number);
    return Push({.kind = PickleKind::kInt, .integer = value});
  }

  // Two's complement of any length, of which 8 bytes are enough for every size and count.
  absl::Status Long(size_t length_width) {
    const std::optional<uint64_t> length = reader_.Little(length_width);
    if (!length) return CutOff();
    if (*length > 8) return Senseless(absl::StrCat("holds a number of ", *length, " bytes; 8 are read"));
    const std::optional<uint64_t> bits = *length == 0 ? 0 : reader_.Little(*length);
    if (!bits) return CutOff();
    const unsigned unused = *length == 0 ? 0 : 64 - 8 * static_cast<unsigned>(*length);
    return Push({.kind = PickleKind::kInt, .integer = static_cast<int64_t>(*bits << unused) >> unused});
  }

  absl::Status Float() {
    const std::optional<uint64_t> bits = reader_.Little(8);
    if (!bits) return CutOff();
    return Push({.kind = PickleKind::kFloat, .real = std::bit_cast<double>(__builtin_bswap64(*bits))});
  }

  absl::Status Text(PickleKind kind, size_t length_width) {
    const std::optional<uint64_t> length = reader_.Little(length_width);
    const std::optional<absl::string_view> text = length ? reader_.Take(*length) : std::nullopt;
    if (!text) return CutOff();
    return Push({.kind = kind, .text = *text});
  }

  absl::Status TupleToMark() {
    SIGHTLINE_ASSIGN_OR_RETURN(std::vector<PickleId> items, PopToMark());
    return Push({.kind = PickleKind::kTuple, .items = std::move(items)});
  }

  absl::Status Tuple(size_t count) {
    std::vector<PickleId> items(count);
    for (size_t i = count; i-- > 0;) {
      SIGHTLINE_ASSIGN_OR_RETURN(items[i], Pop());
    }
    return Push({.kind = PickleKind::kTuple, .items = std::move(items)});
  }

  // Adds to the list or dict on top of the stack; what is added to an object that does not matter does not either.
  absl::Status Extend(PickleKind kind, const std::vector<PickleId>& items) {
    SIGHTLINE_ASSIGN_OR_RETURN(const PickleId target, Pop());
    PickleValue& value = pickle_.values[target];
    if (value.kind == kind) {
      value.items.insert(value.items.end(), items.begin(), items.end());
    } else if (value.kind != PickleKind::kOther) {
      return Senseless("adds items to what is no list and no dict");
    }
    stack_.push_back(target);
    return absl::OkStatus();
  }

  absl::Status ExtendToMark(PickleKind kind) {
    SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<PickleId> items, PopToMark());
    if (kind == PickleKind::kDict && items.size() % 2 != 0) return Senseless("gives a dict a key without a value");
    return Extend(kind, items);
  }

  absl::Status Append() {
    SIGHTLINE_ASSIGN_OR_RETURN(const PickleId item, Pop());
    return Extend(PickleKind::kList, {item});
  }

  absl::Status SetItem() {
    SIGHTLINE_ASSIGN_OR_RETURN(const PickleId value, Pop());
    SIGHTLINE_ASSIGN_OR_RETURN(const PickleId key, Pop());
    return Extend(PickleKind::kDict, {key, value});
  }

  absl::Status Put(size_t width) {
    const std::optional<uint64_t> slot = reader_.Little(width);
    if (!slot) return CutOff();
    if (stack_.empty()) return Senseless("remembers a value that it does not have");
    memo_[static_cast<uint32_t>(*slot)] = stack_.back();
    return absl::OkStatus();
  }

  absl::Status Get(size_t width) {
    const std::optional<uint64_t> slot = reader_.Little(width);
    if (!slot) return CutOff();
    const auto remembered = memo_.find(static_cast<uint32_t>(*slot));
    if (remembered == memo_.end()) return Senseless("recalls a value that it did not remember");
    stack_.push_back(remembered->second);
    return absl::OkStatus();
  }

  absl::Status Global() {
    const std::optional<absl::string_view> module = reader_.Line();
    const std::optional<absl::string_view> name = module ? reader_.Line() : std::nullopt;
    if (!name) return CutOff();
    const std::optional<KnownGlobal> known = FindPickleGlobal(*module, *name);
    if (!known) {
      return MalformedCheckpoint(
          absl::StrCat("names the Python object ", Quoted(absl::StrCat(*module, ".", *name)),
                       ", which no table of weights needs; it was not looked up and nothing was run"),
          "If you trust its source, save the model's state_dict() alone with torch.save and import that.");
    }
    return Push(calls_.MakeGlobal(*known, *name));
  }

  absl::Status Call() {
    SIGHTLINE_ASSIGN_OR_RETURN(const PickleId arguments, Pop());
    SIGHTLINE_ASSIGN_OR_RETURN(const PickleId function, Pop());
    SIGHTLINE_ASSIGN_OR_RETURN(const PickleId result, calls_.Call(function, arguments));
    stack_.push_back(result);
    return absl::OkStatus();
  }

  absl::Status Build() {
    SIGHTLINE_ASSIGN_OR_RETURN(const PickleId state, Pop());
    SIGHTLINE_ASSIGN_OR_RETURN(const PickleId target, Pop());
    SIGHTLINE_RETURN_IF_ERROR(calls_.SetState(target, state));
    stack_.push_back(target);
    return absl::OkStatus();
  }

  absl::Status Persistent() {
    SIGHTLINE_ASSIGN_OR_RETURN(const PickleId id, Pop());
    SIGHTLINE_ASSIGN_OR_RETURN(const PickleId storage, calls_.Storage(id));
    stack_.push_back(storage);
    return absl::OkStatus();
  }

  // Whether something reachable from the root is reachable from itself. Without recursion: nesting has no limit.
  bool HoldsItself() const {
    enum class Seen : unsigned char { kNo, kAbove, kDone };
    std::vector<Seen> seen(pickle_.values.size(), Seen::kNo);
    std::vector<std::pair<PickleId, size_t>> path = {{pickle_.root, 0}};
    seen[pickle_.root] = Seen::kAbove;
    while (!path.empty()) {
      auto& [id, next] = path.back();
      const std::vector<PickleId>& items = pickle_.values[id].items;
      if (next == items.size()) {
        seen[id] = Seen::kDone;
        path.pop_back();
        continue;
      }
      const PickleId item = items[next++];
      if (seen[item] == Seen::kAbove) return true;
      if (seen[item] == Seen::kNo) {
        seen[item] = Seen::kAbove;
        path.emplace_back(item, 0);
      }
    }
    return false;
  }

  const PickleLimits& limits_;
  ByteReader reader_;
  Pickle pickle_;
  PickleCalls calls_;
  std::vector<PickleId> stack_;
  std::vector<size_t> marks_;  // heights of the stack
  std::unordered_map<uint32_t, PickleId> memo_;
  bool stopped_ = false;
};

}  // namespace

const PickleValue* Pickle::Find(const PickleValue& dict, absl::string_view key) const {
  if (dict.kind != PickleKind::kDict) return nullptr;
  for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    const PickleValue& candidate = values[dict.items[i]];
    if (candidate.kind == PickleKind::kText && candidate.text == key) return &values[dict.items[i + 1]];
  }
  return nullptr;
}

absl::StatusOr<Pickle> ReadPickle(absl::string_view bytes, const PickleLimits& limits) {
  return PickleReader(bytes.substr(0, limits.max_bytes), limits).Read();
}

}  // namespace sightline::weights
