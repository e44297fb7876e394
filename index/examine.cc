#include "index/examine.h"

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "base/status.h"
#include "index/ann/chunk_file.h"
#include "index/kernels/int8_code.h"
#include "index/local_database.h"
#include "index/snapshots.h"
#include "index/store/aliases_file.h"
#include "index/store/codec.h"
#include "index/store/file_work.h"
#include "index/store/keys.h"
#include "index/store/record_codec.h"
#include "index/store/segment_manifest.h"
#include "index/store/spaces_file.h"
#include "index/store/store.h"
#include "index/store/token_codec.h"

namespace sightline::index {
namespace {

constexpr size_t kExaminedCacheBytes = 8 << 20;
constexpr size_t kExaminedPiece = 1 << 20;
constexpr int64_t kMaxExaminedNames = 64 << 20;  // of the files `spaces` and `aliases`

// Every value of a family, read with its block's checksum and decoded with its own.
absl::Status ExamineFamily(const StoreLease& lease, Family family,
                           const std::function<absl::Status(absl::string_view key, absl::string_view value)>& decode) {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(lease.db().NewIterator(options, lease.family(family)));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    SIGHTLINE_RETURN_IF_ERROR(decode(ToView(it->key()), ToView(it->value())));
  }
  return FromRocks(it->status(), absl::StrCat("read the ", kFamilyNames[static_cast<size_t>(family)]));
}

absl::Status ExamineValues(const Store& store) {
  const StoreLease lease(store);
  SIGHTLINE_RETURN_IF_ERROR(lease.status());
  const int dim = store.config().descriptor_dim;
  SIGHTLINE_RETURN_IF_ERROR(ExamineFamily(
      lease, Family::kDescriptors,
      [dim](absl::string_view key, absl::string_view value) { return DecodeDescriptor(key, value, dim).status(); }));
  SIGHTLINE_RETURN_IF_ERROR(ExamineFamily(lease, Family::kTokens, [](absl::string_view key, absl::string_view value) {
    return DecodeTokens(key, value).status();
  }));
  SIGHTLINE_RETURN_IF_ERROR(ExamineFamily(lease, Family::kImages, [](absl::string_view key, absl::string_view value) {
    return DecodeImage(key, value).status();
  }));
  return ExamineFamily(lease, Family::kRequests, [](absl::string_view, absl::string_view) { return absl::OkStatus(); });
}

absl::Status ExamineChunk(const Files& files, const std::string& path, const ChunkFileInfo& info,
                          const ChunkShape& shape) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::unique_ptr<ChunkFile> chunk, ChunkFile::Open(files, path, info, shape));
  std::vector<uint64_t> keys;
  std::vector<uint8_t> codes(kernels::CodeLayout(shape.dim).stride * info.rows);
  SIGHTLINE_RETURN_IF_ERROR(chunk->LoadRows(&keys, codes.data()));
  std::vector<float> descriptor(shape.dim);
  for (uint32_t row = 0; row < info.rows; ++row) SIGHTLINE_RETURN_IF_ERROR(chunk->Read(row, descriptor.data()));
  return absl::OkStatus();
}

absl::Status ExamineSealed(const std::string& path, const LinksFileInfo& info) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::unique_ptr<InputFile> file, InputFile::Open(path));
  const std::string what = absl::StrCat("segment file ", path);
  if (static_cast<uint64_t>(file->size()) != info.bytes) {
    return DamagedError(what, absl::StrCat("it has ", file->size(), " bytes instead of ", info.bytes));
  }
  std::string piece(kExaminedPiece, '\0');
  uint32_t checksum = 0;
  for (int64_t at = 0; at < file->size();) {
    SIGHTLINE_ASSIGN_OR_RETURN(const size_t got, file->Read(at, piece.data(), piece.size()));
    if (got == 0) break;
    checksum = base::Crc32c(absl::string_view(piece).substr(0, got), checksum);
    at += static_cast<int64_t>(got);
  }
  return checksum == info.checksum ? absl::OkStatus() : DamagedError(what, "its checksum is wrong");
}

// The number of segment files.
absl::StatusOr<int> ExamineSegments(const Store& store, const std::string& folder) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::optional<SegmentManifest> manifest, store.ReadSegmentManifest());
  if (!manifest) return 0;
  const Files files;
  const ChunkShape shape{static_cast<size_t>(store.config().descriptor_dim), store.config().descriptor_precision};
  const auto path = [&folder](const std::string& name) { return absl::StrCat(folder, "/", name); };
  int count = 0;
  if (manifest->centroids) {
    SIGHTLINE_RETURN_IF_ERROR(
        ExamineSealed(path(CentroidsFileName(manifest->centroids->number)), *manifest->centroids));
    ++count;
  }
  for (const SegmentEntry& segment : manifest->segments) {
    for (const ChunkFileInfo& chunk : segment.chunks) {
      SIGHTLINE_RETURN_IF_ERROR(ExamineChunk(files, path(ChunkFileName(chunk.number)), chunk, shape));
      ++count;
    }
    if (!segment.links) continue;
    SIGHTLINE_RETURN_IF_ERROR(ExamineSealed(path(LinksFileName(segment.links->number)), *segment.links));
    ++count;
  }
  return count;
}

absl::StatusOr<std::string> ExamineCollection(const std::string& folder, const RocksResources& resources,
                                              const RecordLimits& limits) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::unique_ptr<Store> store,
                             Store::Open(folder, resources, limits, Store::Care::kLook));
  int64_t images = 0;
  SIGHTLINE_RETURN_IF_ERROR(store->ForEachRecord([&images](uint64_t, const StoredRecord&) {
    ++images;
    return absl::OkStatus();
  }));
  SIGHTLINE_RETURN_IF_ERROR(ExamineValues(*store));
  SIGHTLINE_ASSIGN_OR_RETURN(const int files, ExamineSegments(*store, absl::StrCat(folder, "/", kSegmentFolder)));
  return absl::StrCat(images, images == 1 ? " image, " : " images, ", files,
                      files == 1 ? " segment file" : " segment files");
}

Examined Line(std::string what, const absl::StatusOr<std::string>& found) {
  return {std::move(what), found.status(), found.ok() ? *found : ""};
}

absl::StatusOr<std::string> ExamineSpaces(const std::string& path) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string bytes, base::ReadFile(path, kMaxExaminedNames));
  SIGHTLINE_ASSIGN_OR_RETURN(const SpacesByName spaces, DecodeSpaces(bytes));
  return absl::StrCat(spaces.size(), " other spaces");
}

absl::StatusOr<std::string> ExamineAliases(const std::string& path) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string bytes, base::ReadFile(path, kMaxExaminedNames));
  SIGHTLINE_ASSIGN_OR_RETURN(const AliasMap aliases, DecodeAliases(bytes));
  return absl::StrCat(aliases.size(), aliases.size() == 1 ? " alias" : " aliases");
}

}  // namespace

std::vector<Examined> ExamineDirectory(const std::string& directory, const RecordLimits& limits) {
  std::vector<Examined> lines;
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0) return lines;
  const auto path = [&directory](absl::string_view name) { return absl::StrCat(directory, "/", name); };
  const absl::StatusOr<std::string> format = ReadDirectoryFormat(directory);
  if (absl::IsNotFound(format.status())) return lines;
  lines.push_back(Line("format", format));
  if (!format.ok()) return lines;

  const RocksResources resources(kExaminedCacheBytes, kExaminedCacheBytes, nullptr, 0, /*little_memory=*/true);
  if (::stat(path("spaces").c_str(), &info) == 0) lines.push_back(Line("spaces", ExamineSpaces(path("spaces"))));
  if (::stat(path("aliases").c_str(), &info) == 0) lines.push_back(Line("aliases", ExamineAliases(path("aliases"))));
  const absl::StatusOr<std::vector<std::string>> folders = base::ListFolder(path(kCollections));
  if (!folders.ok()) {
    lines.push_back({"collections", folders.status(), ""});
  } else {
    for (const std::string& folder : *folders) {
      lines.push_back(Line(absl::StrCat("collection ", folder.substr(0, folder.find('.'))),
                           ExamineCollection(absl::StrCat(path(kCollections), "/", folder), resources, limits)));
    }
  }
  const Snapshots snapshots({path(kSnapshots), path(kStaging), path(kTrash)}, resources, base::Clock::Real());
  for (auto& [name, status] : snapshots.Examine()) {
    lines.push_back({name, status, status.ok() ? "every SHA-256 is right" : ""});
  }
  return lines;
}

}  // namespace sightline::index
