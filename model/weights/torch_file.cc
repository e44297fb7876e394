#include "model/weights/torch_file.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/byte_reader.h"
#include "base/status.h"
#include "model/weights/checkpoint_error.h"
#include "model/weights/strict_json.h"
#include "model/weights/zip_archive.h"

namespace sightline::weights {
namespace {

constexpr absl::string_view kZipMagic("PK\x03\x04", 4);
// The first pickle of a legacy file: protocol 2, a number of 10 bytes, the end.
constexpr absl::string_view kLegacyMagic("\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
constexpr int64_t kLegacyVersion = 1001;
constexpr absl::string_view kPickleName = "data.pkl";

absl::Status WholeObject(absl::string_view what) {
  return MalformedCheckpoint(absl::StrCat("is ", what, ", not a table of weights"),
                             "Save the model's state_dict() with torch.save and import that.");
}

absl::StatusOr<Pickle> NextPickle(absl::string_view bytes, size_t& position) {
  SIGHTLINE_ASSIGN_OR_RETURN(Pickle pickle, ReadPickle(bytes.substr(position), {}));
  position += pickle.bytes;
  return pickle;
}

// The type of every storage that the content refers to.
std::map<absl::string_view, DType> StorageTypes(const Pickle& content) {
  std::map<absl::string_view, DType> types;
  for (const PickleStorage& storage : content.storages) {
    if (!storage.inline_bytes) types[storage.key] = storage.dtype;
  }
  return types;
}

}  // namespace

bool LooksLikeTorchZip(absl::string_view bytes) { return absl::StartsWith(bytes, kZipMagic); }

bool LooksLikeTorchLegacy(absl::string_view bytes) { return absl::StartsWith(bytes, kLegacyMagic); }

absl::StatusOr<TorchFile> ReadTorchZip(absl::string_view bytes) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<ZipEntry> entries, ReadZip(bytes, {}));
  // The archive's one folder has the name of the file that was saved to.
  std::optional<absl::string_view> folder;
  absl::string_view pickle;
  for (const ZipEntry& entry : entries) {
    const size_t slash = entry.name.find('/');
    const absl::string_view rest = slash == absl::string_view::npos ? entry.name : entry.name.substr(slash + 1);
    if (rest != kPickleName) continue;
    if (folder) return MalformedCheckpoint("is a zip archive with two data.pkl");
    folder = entry.name.substr(0, entry.name.size() - rest.size());
    pickle = entry.bytes;
  }
  if (!folder) {
    return MalformedCheckpoint("is a zip archive without data.pkl, which torch.save always writes",
                               "Give the file that torch.save wrote, not an archive around it.");
  }
  TorchFile file;
  for (const ZipEntry& entry : entries) {
    absl::string_view name = entry.name;
    if (!absl::ConsumePrefix(&name, *folder)) continue;
    if (name == "constants.pkl" || absl::StartsWith(name, "code/")) return WholeObject("a TorchScript program");
    if (name == "byteorder" && entry.bytes != "little") {
      return MalformedCheckpoint("holds big-endian values, which are not read", "Save it on a little-endian machine.");
    }
    if (absl::ConsumePrefix(&name, "data/")) file.storages[name] = entry.bytes;
  }
  SIGHTLINE_ASSIGN_OR_RETURN(file.pickle, ReadPickle(pickle, {}));
  if (file.pickle.bytes != pickle.size()) return MalformedCheckpoint("has bytes behind the end of its pickle");
  return file;
}

absl::StatusOr<TorchFile> ReadTorchLegacy(absl::string_view bytes) {
  size_t position = kLegacyMagic.size();
  SIGHTLINE_ASSIGN_OR_RETURN(const Pickle version, NextPickle(bytes, position));
  if (version.at(version.root).integer != kLegacyVersion) {
    return MalformedCheckpoint(
        absl::StrCat("has version ", version.at(version.root).integer, " of the older format; 1001 is read"));
  }
  SIGHTLINE_ASSIGN_OR_RETURN(const Pickle machine, NextPickle(bytes, position));
  const PickleValue* const little = machine.Find(machine.at(machine.root), "little_endian");
  if (little != nullptr && little->kind == PickleKind::kBool && little->integer == 0) {
    return MalformedCheckpoint("holds big-endian values, which are not read", "Save it on a little-endian machine.");
  }
  TorchFile file;
  SIGHTLINE_ASSIGN_OR_RETURN(file.pickle, NextPickle(bytes, position));
  SIGHTLINE_ASSIGN_OR_RETURN(const Pickle keys, NextPickle(bytes, position));
  const PickleValue& list = keys.at(keys.root);
  if (list.kind != PickleKind::kList) return MalformedCheckpoint("has no list of storages behind its content");

  const std::map<absl::string_view, DType> types = StorageTypes(file.pickle);
  base::ByteReader reader(bytes, position);
  for (const PickleId id : list.items) {
    const auto type = types.find(keys.at(id).text);
    // Its size cannot be known, nor where the next one begins.
    if (type == types.end()) {
      return MalformedCheckpoint(absl::StrCat("holds the storage ", Quoted(keys.at(id).text), " that nothing uses"));
    }
    const std::optional<uint64_t> count = reader.Little(8);
    const auto width = static_cast<uint64_t>(DTypeBytes(type->second));
    const std::optional<absl::string_view> values =
        count && *count <= reader.remaining() / width ? reader.Take(*count * width) : std::nullopt;
    if (!values) return MalformedCheckpoint(absl::StrCat("is cut off within the storage ", Quoted(type->first)));
    if (!file.storages.emplace(type->first, *values).second) {
      return MalformedCheckpoint(absl::StrCat("holds the storage ", Quoted(type->first), " twice"));
    }
  }
  return file;
}

}  // namespace sightline::weights
