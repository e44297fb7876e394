#include "base/pickle/machine.h"

#include <bit>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/byte_reader.h"
#include "base/status.h"

namespace sightline::base {
namespace {

constexpr PickleId kNoneId = 0;

class PickleMachine {
 public:
  PickleMachine(absl::string_view bytes, const PickleLimits& limits, PickleObjects& objects, PickleTree& tree)
      : limits_(limits), reader_(bytes), objects_(objects), tree_(tree) {
    tree_.values.assign(1, {});  // the only None
  }

  absl::Status Run() {
    while (!stopped_) {
      const std::optional<uint64_t> operation = reader_.Little(1);
      if (!operation) return CutOff();
      SIGHTLINE_RETURN_IF_ERROR(Step(static_cast<unsigned char>(*operation)));
      if (tree_.values.size() > limits_.max_values || stack_.size() > limits_.max_values ||
          memo_.size() > limits_.max_values) {
        return objects_.Malformed(absl::StrCat("holds a pickle of more than ", limits_.max_values, " values"));
      }
    }
    tree_.bytes = reader_.position();
    if (HoldsItself()) return Senseless("contains itself");
    return absl::OkStatus();
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
      case 't': return SequenceToMark(PickleKind::kTuple);
      case 0x85: return Tuple(1);
      case 0x86: return Tuple(2);
      case 0x87: return Tuple(3);
      case 'a': return Append();
      case 'e': return ExtendToMark(PickleKind::kList);
      case 's': return SetItem();
      case 'u': return ExtendToMark(PickleKind::kDict);
      case 'q': return PutNumber(1);
      case 'r': return PutNumber(4);
      case 'h': return GetNumber(1);
      case 'j': return GetNumber(4);
      case 'c': return Global();
      case 'R':
      case 0x81: return Call();
      case 'b': return Build();
      case 'Q': return Persistent();
      // Protocol 0, and what Python 2 writes as lines of text.
      case '1': return PopToMark().status();
      case '2': return Duplicate();
      case 'I': return IntegerLine();
      case 'L': return IntegerLine();
      case 'F': return FloatLine();
      case 'S': return QuotedLine();
      case 'V': return EscapedLine();
      case 'd': return DictToMark();
      case 'l': return SequenceToMark(PickleKind::kList);
      case 'p': return PutLine();
      case 'g': return GetLine();
      default: return limits_.newest_protocol >= 4 ? StepOfProtocol4(operation) : NotRead(operation);
    }
  }

  absl::Status StepOfProtocol4(unsigned char operation) {
    switch (operation) {
      case 0x8c: return Text(PickleKind::kText, 1);
      case 0x8d: return Text(PickleKind::kText, 8);
      case 0x8e: return Text(PickleKind::kBytes, 8);
      case 0x96: return Text(PickleKind::kBytes, 8);
      case 0x8f: return Push({.kind = PickleKind::kList});
      case 0x90: return ExtendToMark(PickleKind::kList);
      case 0x91: return SequenceToMark(PickleKind::kList);
      case 0x93: return StackGlobal();
      case 0x94: return Put(static_cast<uint32_t>(memo_.size()));
      case 0x95: return reader_.Little(8) ? absl::OkStatus() : CutOff();  // the length of a frame
      default: return NotRead(operation);
    }
  }

  absl::Status CutOff() const { return objects_.Malformed("holds a pickle that is cut off"); }

  absl::Status Senseless(absl::string_view what) const {
    return objects_.Malformed(absl::StrCat("holds a pickle that ", what));
  }

  absl::Status NotRead(unsigned char operation) const {
    return objects_.Malformed(
        absl::StrFormat("holds a pickle with the operation 0x%02x, which plain data does not need", operation));
  }

  absl::Status Protocol() {
    const std::optional<uint64_t> protocol = reader_.Little(1);
    if (!protocol) return CutOff();
    if (*protocol <= static_cast<uint64_t>(limits_.newest_protocol)) return absl::OkStatus();
    return objects_.Malformed(
        absl::StrCat("is pickled with protocol ", *protocol, "; up to ", limits_.newest_protocol, " is read"));
  }

  absl::Status Stop() {
    SIGHTLINE_ASSIGN_OR_RETURN(tree_.root, Pop());
    if (!stack_.empty() || !marks_.empty()) return Senseless("leaves values behind");
    stopped_ = true;
    return absl::OkStatus();
  }

  absl::Status Push(PickleValue value) {
    stack_.push_back(static_cast<PickleId>(tree_.values.size()));
    tree_.values.push_back(std::move(value));
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

  absl::Status SequenceToMark(PickleKind kind) {
    SIGHTLINE_ASSIGN_OR_RETURN(std::vector<PickleId> items, PopToMark());
    return Push({.kind = kind, .items = std::move(items)});
  }

  absl::Status DictToMark() {
    SIGHTLINE_ASSIGN_OR_RETURN(std::vector<PickleId> items, PopToMark());
    if (items.size() % 2 != 0) return Senseless("gives a dict a key without a value");
    return Push({.kind = PickleKind::kDict, .items = std::move(items)});
  }

  absl::Status Duplicate() {
    SIGHTLINE_ASSIGN_OR_RETURN(const PickleId top, Pop());
    stack_.insert(stack_.end(), 2, top);
    return absl::OkStatus();
  }

  // "7", "-7L"; "01" and "00" are True and False.
  absl::Status IntegerLine() {
    const std::optional<absl::string_view> line = reader_.Line();
    if (!line) return CutOff();
    if (*line == "01" || *line == "00") return Push({.kind = PickleKind::kBool, .integer = *line == "01" ? 1 : 0});
    int64_t number = 0;
    if (!absl::SimpleAtoi(absl::StripSuffix(*line, "L"), &number)) return Senseless("holds a number that is none");
    return Push({.kind = PickleKind::kInt, .integer = number});
  }

  absl::Status FloatLine() {
    const std::optional<absl::string_view> line = reader_.Line();
    if (!line) return CutOff();
    double number = 0;
    if (!absl::SimpleAtod(*line, &number)) return Senseless("holds a number that is none");
    return Push({.kind = PickleKind::kFloat, .real = number});
  }

  absl::Status PushOwned(std::string text) {
    tree_.owned.push_back(std::move(text));
    return Push({.kind = PickleKind::kText, .text = tree_.owned.back()});
  }

  // A text as Python 2 shows it: in quotes, with escapes.
  absl::Status QuotedLine() {
    const std::optional<absl::string_view> line = reader_.Line();
    if (!line) return CutOff();
    std::string text;
    if (line->size() < 2 || line->front() != line->back() || (line->front() != '\'' && line->front() != '"') ||
        !absl::CUnescape(WithOctalEscapes(line->substr(1, line->size() - 2)), &text)) {
      return Senseless("holds a text without its quotes");
    }
    return PushOwned(std::move(text));
  }

  // Python's \xHH as \OOO: its \x takes two digits, that of C and of CUnescape as many as there are.
  static std::string WithOctalEscapes(absl::string_view text) {
    std::string octal;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\' || i + 1 == text.size()) {
        octal.push_back(text[i]);
        continue;
      }
      const absl::string_view digits = text[i + 1] == 'x' ? text.substr(i + 2, 2) : absl::string_view();
      if (digits.size() == 2 && absl::ascii_isxdigit(static_cast<unsigned char>(digits[0])) &&
          absl::ascii_isxdigit(static_cast<unsigned char>(digits[1]))) {
        absl::StrAppendFormat(&octal, "\\%03o", static_cast<unsigned char>(absl::HexStringToBytes(digits)[0]));
        i += 3;
      } else {
        octal.append(text.data() + i++, 2);  // whatever it escapes, a backslash too
      }
    }
    return octal;
  }

  // A text of single bytes for code points below 256, with \uXXXX for others, for line ends and for backslashes.
  absl::Status EscapedLine() {
    const std::optional<absl::string_view> line = reader_.Line();
    if (!line) return CutOff();
    std::string escaped;
    for (const char c : *line) {
      if (static_cast<unsigned char>(c) < 0x80) {
        escaped.push_back(c);
      } else {
        absl::StrAppendFormat(&escaped, "\\u%04x", static_cast<unsigned char>(c));
      }
    }
    std::string text;
    if (!absl::CUnescape(escaped, &text)) return Senseless("holds a text with an escape that is none");
    return PushOwned(std::move(text));
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
    PickleValue& value = tree_.values[target];
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

  absl::Status Put(uint32_t slot) {
    if (stack_.empty()) return Senseless("remembers a value that it does not have");
    memo_[slot] = stack_.back();
    return absl::OkStatus();
  }

  absl::Status Get(uint32_t slot) {
    const auto remembered = memo_.find(slot);
    if (remembered == memo_.end()) return Senseless("recalls a value that it did not remember");
    stack_.push_back(remembered->second);
    return absl::OkStatus();
  }

  absl::Status PutNumber(size_t width) {
    const std::optional<uint64_t> slot = reader_.Little(width);
    return slot ? Put(static_cast<uint32_t>(*slot)) : CutOff();
  }

  absl::Status GetNumber(size_t width) {
    const std::optional<uint64_t> slot = reader_.Little(width);
    return slot ? Get(static_cast<uint32_t>(*slot)) : CutOff();
  }

  absl::StatusOr<uint32_t> SlotLine() {
    const std::optional<absl::string_view> line = reader_.Line();
    if (!line) return CutOff();
    uint32_t slot = 0;
    if (!absl::SimpleAtoi(*line, &slot)) return Senseless("numbers its memory by what is no number");
    return slot;
  }

  absl::Status PutLine() {
    SIGHTLINE_ASSIGN_OR_RETURN(const uint32_t slot, SlotLine());
    return Put(slot);
  }

  absl::Status GetLine() {
    SIGHTLINE_ASSIGN_OR_RETURN(const uint32_t slot, SlotLine());
    return Get(slot);
  }

  absl::Status Global() {
    const std::optional<absl::string_view> module = reader_.Line();
    const std::optional<absl::string_view> name = module ? reader_.Line() : std::nullopt;
    if (!name) return CutOff();
    SIGHTLINE_ASSIGN_OR_RETURN(PickleValue value, objects_.Global(*module, *name));
    return Push(std::move(value));
  }

  absl::Status StackGlobal() {
    SIGHTLINE_ASSIGN_OR_RETURN(const PickleId name, Pop());
    SIGHTLINE_ASSIGN_OR_RETURN(const PickleId module, Pop());
    if (tree_.at(name).kind != PickleKind::kText || tree_.at(module).kind != PickleKind::kText) {
      return Senseless("names an object by what is no text");
    }
    SIGHTLINE_ASSIGN_OR_RETURN(PickleValue value, objects_.Global(tree_.at(module).text, tree_.at(name).text));
    return Push(std::move(value));
  }

  absl::Status Call() {
    SIGHTLINE_ASSIGN_OR_RETURN(const PickleId arguments, Pop());
    SIGHTLINE_ASSIGN_OR_RETURN(const PickleId function, Pop());
    SIGHTLINE_ASSIGN_OR_RETURN(const PickleId result, objects_.Call(function, arguments));
    stack_.push_back(result);
    return absl::OkStatus();
  }

  absl::Status Build() {
    SIGHTLINE_ASSIGN_OR_RETURN(const PickleId state, Pop());
    SIGHTLINE_ASSIGN_OR_RETURN(const PickleId target, Pop());
    SIGHTLINE_RETURN_IF_ERROR(objects_.SetState(target, state));
    stack_.push_back(target);
    return absl::OkStatus();
  }

  absl::Status Persistent() {
    SIGHTLINE_ASSIGN_OR_RETURN(const PickleId id, Pop());
    SIGHTLINE_ASSIGN_OR_RETURN(const PickleId object, objects_.Persistent(id));
    stack_.push_back(object);
    return absl::OkStatus();
  }

  // Whether something reachable from the root is reachable from itself. Without recursion: nesting has no limit.
  bool HoldsItself() const {
    enum class Seen : unsigned char { kNo, kAbove, kDone };
    std::vector<Seen> seen(tree_.values.size(), Seen::kNo);
    std::vector<std::pair<PickleId, size_t>> path = {{tree_.root, 0}};
    seen[tree_.root] = Seen::kAbove;
    while (!path.empty()) {
      auto& [id, next] = path.back();
      const std::vector<PickleId>& items = tree_.values[id].items;
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
  PickleObjects& objects_;
  PickleTree& tree_;
  std::vector<PickleId> stack_;
  std::vector<size_t> marks_;  // heights of the stack
  std::unordered_map<uint32_t, PickleId> memo_;
  bool stopped_ = false;
};

}  // namespace

PickleId PickleTree::Add(PickleValue value) {
  values.push_back(std::move(value));
  return static_cast<PickleId>(values.size() - 1);
}

const PickleValue* PickleTree::Find(const PickleValue& dict, absl::string_view key) const {
  if (dict.kind != PickleKind::kDict) return nullptr;
  for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    const PickleValue& candidate = values[dict.items[i]];
    if (candidate.kind == PickleKind::kText && candidate.text == key) return &values[dict.items[i + 1]];
  }
  return nullptr;
}

absl::Status RunPickle(absl::string_view bytes, const PickleLimits& limits, PickleObjects& objects, PickleTree* tree) {
  return PickleMachine(bytes.substr(0, limits.max_bytes), limits, objects, *tree).Run();
}

}  // namespace sightline::base
