#include "model/weights/checkpoint.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "base/status.h"
#include "model/weights/checkpoint_error.h"
#include "model/weights/strict_json.h"
#include "model/weights/torch_file.h"

namespace sightline::weights {
namespace {

using nlohmann::json;

// Where training programs put a state dict, the likeliest first: averaged weights before the ones they average.
constexpr absl::string_view kUsualKeys[] = {"teacher",     "model_ema", "state_dict_ema",   "ema", "state_dict",
                                            "model_state", "model",     "model_state_dict", "net", "network",
                                            "weights",     "params",    "student"};
constexpr absl::string_view kMeta = "meta";
// Levels of dicts a state dict is looked for in, and how many dicts are looked at.
constexpr int kDeepestWrapper = 3;
constexpr size_t kMostDicts = 1'000;
// Values and levels of "meta" that are kept, and bytes of its texts.
constexpr size_t kMostMeta = 10'000;
constexpr int kDeepestMeta = 8;
constexpr size_t kMostMetaBytes = 1 << 20;
// Of a tensor, and of what a dict or a value is kept under. A pickle writes a text once and refers to it as often as it
// likes, so that copies of long ones would take any amount of memory.
constexpr size_t kLongestName = 1'024;
constexpr size_t kLongestKey = 256;  // of a dict that may hold a state dict
constexpr int64_t kMaxSafetensorsTensors = 20'000;

// How early in kUsualKeys the path's keys come; nothing where one of them is not usual.
std::optional<size_t> Usualness(const std::vector<std::string>& path) {
  size_t worst = 0;
  for (const std::string& key : path) {
    const auto* const found = std::find(std::begin(kUsualKeys), std::end(kUsualKeys), key);
    if (found == std::end(kUsualKeys)) return std::nullopt;
    worst = std::max(worst, static_cast<size_t>(found - std::begin(kUsualKeys)));
  }
  return worst;
}

absl::Status NameTooLong(size_t bytes) {
  return MalformedCheckpoint(
      absl::StrCat("holds a value under a name of ", bytes, " bytes; the limit is ", kLongestName));
}

absl::Status UnknownKind(absl::string_view what, absl::string_view remedy) {
  return base::InvalidArgument("UNKNOWN_CHECKPOINT", absl::StrCat("the checkpoint ", what, ". ", remedy));
}

// What people have in place of the weights they think they have.
absl::Status DescribeUnknown(absl::string_view bytes) {
  constexpr absl::string_view kRemedy = "Give a safetensors file or one that torch.save wrote.";
  if (bytes.empty()) return UnknownKind("is empty", "Download it again.");
  if (absl::StartsWith(bytes, "version https://git-lfs")) {
    return UnknownKind("is a pointer of Git LFS, not the weights", "Fetch them with `git lfs pull`.");
  }
  if (absl::StartsWith(bytes, "<")) return UnknownKind("is a web page, not weights", "Download the file itself.");
  if (absl::StartsWith(bytes, "\x89HDF")) return UnknownKind("is an HDF5 file of Keras", kRemedy);
  if (absl::StartsWith(bytes, "\x1f\x8b")) return UnknownKind("is compressed with gzip", "Unpack it first.");
  if (bytes.size() > 262 && bytes.substr(257, 5) == "ustar") {
    return UnknownKind("is a tar archive, as PyTorch wrote them before version 0.2", "Save it again with a newer one.");
  }
  if (bytes[0] == '\x80') {
    return UnknownKind("is a pickle, but not one of torch.save", "Save the model's state_dict() with torch.save.");
  }
  return UnknownKind("is neither a safetensors file nor one that torch.save wrote", kRemedy);
}

bool LooksLikeSafetensors(absl::string_view bytes) { return bytes.size() > 8 && bytes[8] == '{'; }

}  // namespace

// Fills one Checkpoint.
class CheckpointReader {
 public:
  CheckpointReader(Checkpoint& checkpoint, const CheckpointOptions& options)
      : checkpoint_(checkpoint), options_(options) {}

  absl::Status Read() {
    const absl::string_view bytes = checkpoint_.bytes_;
    if (LooksLikeTorchZip(bytes)) {
      checkpoint_.format_ = "PyTorch zip";
      SIGHTLINE_ASSIGN_OR_RETURN(file_, ReadTorchZip(bytes));
      return ReadPickled();
    }
    if (LooksLikeTorchLegacy(bytes)) {
      checkpoint_.format_ = "PyTorch legacy";
      SIGHTLINE_ASSIGN_OR_RETURN(file_, ReadTorchLegacy(bytes));
      return ReadPickled();
    }
    if (!LooksLikeSafetensors(bytes)) return DescribeUnknown(bytes);
    checkpoint_.format_ = "safetensors";
    SIGHTLINE_ASSIGN_OR_RETURN(Safetensors file, ParseSafetensors(bytes, {.max_tensors = kMaxSafetensorsTensors}));
    checkpoint_.tensors_ = std::move(file.tensors);
    checkpoint_.meta_ = file.metadata;
    return absl::OkStatus();
  }

 private:
  // A dict that holds tensors, and the path to it.
  struct Table {
    std::vector<std::string> path;
    const PickleValue* dict = nullptr;
    size_t tensors = 0;
  };

  absl::Status ReadPickled() {
    const PickleValue& root = file_.pickle.at(file_.pickle.root);
    SIGHTLINE_ASSIGN_OR_RETURN(const Table table, FindTable(root));
    checkpoint_.wrapper_ = absl::StrJoin(table.path, ".");
    if (table.tensors > options_.max_tensors) {
      return MalformedCheckpoint(
          absl::StrCat("holds ", table.tensors, " tensors; the limit is ", options_.max_tensors));
    }
    for (size_t i = 0; i + 1 < table.dict->items.size(); i += 2) {
      const PickleValue& key = file_.pickle.at(table.dict->items[i]);
      const PickleValue& value = file_.pickle.at(table.dict->items[i + 1]);
      if (!IsTensor(value)) continue;
      if (key.kind != PickleKind::kText || key.text.empty())
        return MalformedCheckpoint("holds a tensor without a name");
      if (key.text.size() > kLongestName) return NameTooLong(key.text.size());
      SIGHTLINE_ASSIGN_OR_RETURN(TensorView view, View(std::string(key.text), value));
      checkpoint_.tensors_.push_back(std::move(view));
    }
    auto& tensors = checkpoint_.tensors_;
    std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    for (size_t i = 1; i < tensors.size(); ++i) {
      if (tensors[i].name == tensors[i - 1].name) {
        return MalformedCheckpoint(absl::StrCat("holds the tensor ", Quoted(tensors[i].name), " twice"));
      }
    }
    if (const PickleValue* const meta = file_.pickle.Find(root, kMeta); meta != nullptr && meta != table.dict) {
      SIGHTLINE_ASSIGN_OR_RETURN(checkpoint_.meta_, MetaJson(*meta, "", 0));
    }
    // Moved without moving the texts that tensors view.
    checkpoint_.decoded_ = std::move(file_.pickle.owned);
    return absl::OkStatus();
  }

  // Every dict with tensors in it, within the levels a state dict is looked for in.
  void Collect(const PickleValue& dict, const std::vector<std::string>& path) {
    if (dict.kind != PickleKind::kDict || !seen_.insert(&dict).second || seen_.size() > kMostDicts) return;
    Table table{path, &dict, 0};
    for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      const PickleValue& key = file_.pickle.at(dict.items[i]);
      const PickleValue& value = file_.pickle.at(dict.items[i + 1]);
      if (IsTensor(value)) ++table.tensors;
      if (value.kind != PickleKind::kDict || key.kind != PickleKind::kText || key.text.size() > kLongestKey) continue;
      if (static_cast<int>(path.size()) >= kDeepestWrapper || (path.empty() && key.text == kMeta)) continue;
      std::vector<std::string> inner = path;
      inner.emplace_back(key.text);
      Collect(value, inner);
    }
    if (table.tensors > 0) tables_.push_back(std::move(table));
  }

  absl::StatusOr<Table> FindTable(const PickleValue& root) {
    if (root.kind != PickleKind::kDict) {
      return MalformedCheckpoint("does not hold a dict of tensors", "Save the model's state_dict() with torch.save.");
    }
    Collect(root, {});
    const auto names = [this] {
      return absl::StrJoin(tables_.begin(), tables_.begin() + std::min<size_t>(tables_.size(), 20), ", ",
                           [](std::string* out, const Table& table) {
                             absl::StrAppend(out, Quoted(absl::StrJoin(table.path, ".")), " (", table.tensors, ")");
                           });
    };
    if (tables_.empty()) {
      return MalformedCheckpoint("holds no dict of tensors", "Save the model's state_dict() with torch.save.");
    }
    if (!options_.key.empty()) {
      for (const Table& table : tables_) {
        if (absl::StrJoin(table.path, ".") == options_.key) return table;
      }
      return MalformedCheckpoint(absl::StrCat("holds no tensors under the key ", Quoted(options_.key)),
                                 absl::StrCat("Give one of: ", names(), "."));
    }
    const Table* best = nullptr;
    const Table* outer = nullptr;
    for (const Table& table : tables_) {
      if (table.path.empty()) outer = &table;
      if (table.path.empty() || !Usualness(table.path)) continue;
      if (best == nullptr || *Usualness(table.path) < *Usualness(best->path)) best = &table;
    }
    // A stray value beside the state dict (a loss, say) does not make the outermost dict one.
    if (outer != nullptr && (best == nullptr || outer->tensors > best->tensors)) best = outer;
    if (best == nullptr && tables_.size() == 1) best = &tables_.front();
    if (best != nullptr) return *best;
    return MalformedCheckpoint("holds several dicts of tensors and none under a usual key",
                               absl::StrCat("Choose one with --key: ", names(), "."));
  }

  // The values of a tensor, row by row.
  absl::StatusOr<TensorView> View(std::string name, const PickleValue& value) {
    const PickleTensor& tensor = file_.pickle.tensors[static_cast<size_t>(value.integer)];
    const PickleStorage& storage = file_.pickle.storages[tensor.storage];
    const auto width = DTypeBytes(storage.dtype);
    absl::string_view values;
    if (storage.inline_bytes) {
      values = *storage.inline_bytes;
    } else if (const auto found = file_.storages.find(storage.key); found != file_.storages.end()) {
      values = found->second;
    } else {
      return MalformedCheckpoint(
          absl::StrCat("has no storage ", Quoted(storage.key), ", which tensor ", Quoted(name), " lies in"));
    }
    const auto held = static_cast<int64_t>(values.size()) / width;
    if (storage.offset > held || storage.count > held - storage.offset) {
      return MalformedCheckpoint(absl::StrCat("claims ", storage.count, " values in the storage ", Quoted(storage.key),
                                              " of tensor ", Quoted(name), "; ", held, " are there"));
    }
    int64_t count = 1;
    for (const int64_t side : tensor.shape) count *= side;
    if (count == 0) return TensorView{std::move(name), storage.dtype, tensor.shape, {}};
    // A tensor with values lies within its storage, as the pickle's reader checked.
    values.remove_prefix(static_cast<size_t>((storage.offset + tensor.offset) * width));
    const auto size = static_cast<size_t>(count * width);
    if (IsRowMajor(tensor)) return TensorView{std::move(name), storage.dtype, tensor.shape, values.substr(0, size)};
    copied_ += size;
    if (copied_ > checkpoint_.bytes_.size()) {
      return MalformedCheckpoint("shows the same values in more tensors than it has bytes for");
    }
    checkpoint_.owned_.push_back(Gather(tensor, values, width, size));
    return TensorView{std::move(name), storage.dtype, tensor.shape, checkpoint_.owned_.back()};
  }

  static bool IsRowMajor(const PickleTensor& tensor) {
    int64_t expected = 1;
    for (size_t i = tensor.shape.size(); i-- > 0;) {
      if (tensor.shape[i] != 1 && tensor.strides[i] != expected) return false;
      expected *= tensor.shape[i];
    }
    return true;
  }

  static std::string Gather(const PickleTensor& tensor, absl::string_view values, int64_t width, size_t size) {
    std::string out;
    out.reserve(size);
    std::vector<int64_t> index(tensor.shape.size(), 0);
    int64_t at = 0;
    while (out.size() < size) {
      out.append(values.data() + at * width, static_cast<size_t>(width));
      for (size_t i = index.size(); i-- > 0;) {
        at += tensor.strides[i];
        if (++index[i] < tensor.shape[i]) break;
        at -= index[i] * tensor.strides[i];
        index[i] = 0;
      }
    }
    return out;
  }

  // Plain values as JSON; tensors and arrays on the way become meta tensors. What is neither becomes null.
  absl::StatusOr<json> MetaJson(const PickleValue& value, const std::string& path, int depth) {
    if (depth > kDeepestMeta || ++meta_values_ > kMostMeta) {
      return MalformedCheckpoint("holds more under \"meta\" than describes a model");
    }
    switch (value.kind) {
      case PickleKind::kBool: return json(value.integer != 0);
      case PickleKind::kInt: return json(value.integer);
      case PickleKind::kFloat: return json(value.real);
      case PickleKind::kText:
        meta_bytes_ += value.text.size();
        if (meta_bytes_ > kMostMetaBytes) {
          return MalformedCheckpoint(absl::StrCat("holds more than ", kMostMetaBytes, " bytes of text under \"meta\""));
        }
        return json(std::string(value.text));
      case PickleKind::kTuple:
      case PickleKind::kList: {
        json list = json::array();
        for (const PickleId item : value.items) {
          SIGHTLINE_ASSIGN_OR_RETURN(json inner, MetaJson(file_.pickle.at(item), path, depth + 1));
          list.push_back(std::move(inner));
        }
        return list;
      }
      case PickleKind::kDict: {
        json object = json::object();
        for (size_t i = 0; i + 1 < value.items.size(); i += 2) {
          const PickleValue& key = file_.pickle.at(value.items[i]);
          if (key.kind != PickleKind::kText) continue;
          if (path.size() + key.text.size() >= kLongestName) return NameTooLong(path.size() + 1 + key.text.size());
          const std::string name(key.text);
          SIGHTLINE_ASSIGN_OR_RETURN(object[name],
                                     MetaJson(file_.pickle.at(value.items[i + 1]),
                                              path.empty() ? name : absl::StrCat(path, ".", name), depth + 1));
        }
        return object;
      }
      case PickleKind::kObject: {
        if (!IsTensor(value)) return json(nullptr);
        SIGHTLINE_ASSIGN_OR_RETURN(TensorView view, View(path, value));
        checkpoint_.meta_tensors_.push_back(std::move(view));
        return json(nullptr);
      }
      default: return json(nullptr);
    }
  }

  Checkpoint& checkpoint_;
  const CheckpointOptions& options_;
  TorchFile file_;
  std::set<const PickleValue*> seen_;
  std::vector<Table> tables_;
  size_t copied_ = 0;
  size_t meta_values_ = 0;
  size_t meta_bytes_ = 0;
};

absl::StatusOr<std::unique_ptr<Checkpoint>> ParseCheckpoint(absl::string_view bytes, const CheckpointOptions& options) {
  auto checkpoint = std::make_unique<Checkpoint>();
  checkpoint->bytes_ = bytes;
  SIGHTLINE_RETURN_IF_ERROR(CheckpointReader(*checkpoint, options).Read());
  return checkpoint;
}

absl::StatusOr<std::unique_ptr<Checkpoint>> ReadCheckpoint(const std::string& path, const CheckpointOptions& options) {
  auto checkpoint = std::make_unique<Checkpoint>();
  SIGHTLINE_ASSIGN_OR_RETURN(checkpoint->file_, base::MappedFile::Open(path, options.max_bytes));
  checkpoint->bytes_ = checkpoint->file_->bytes();
  SIGHTLINE_RETURN_IF_ERROR(CheckpointReader(*checkpoint, options).Read());
  return checkpoint;
}

}  // namespace sightline::weights
