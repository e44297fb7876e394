#include "model/weights/zip_archive.h"

#include <zlib.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/byte_reader.h"
#include "base/status.h"
#include "model/weights/checkpoint_error.h"
#include "model/weights/strict_json.h"

namespace sightline::weights {
namespace {

constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint32_t kDirectorySignature = 0x02014b50;
constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kLocator64Signature = 0x07064b50;
constexpr size_t kLocalBytes = 30;
constexpr size_t kDirectoryEntryBytes = 46;
constexpr size_t kEndBytes = 22;
constexpr size_t kLocator64Bytes = 20;
constexpr size_t kMaxComment = 0xffff;
constexpr uint64_t kSaturated16 = 0xffff;
constexpr uint64_t kSaturated32 = 0xffffffff;
constexpr uint64_t kZip64Extra = 1;
constexpr uint64_t kEncrypted = 1;

absl::Status DirectoryProblem() {
  return MalformedCheckpoint("is a zip archive whose directory is damaged or cut off");
}

absl::Status EntryProblem(absl::string_view name, absl::string_view problem,
                          absl::string_view remedy = "Download or export it again.") {
  return MalformedCheckpoint(absl::StrCat("is a zip archive whose entry ", Quoted(name), " ", problem), remedy);
}

struct Directory {
  uint64_t entries = 0;
  uint64_t bytes = 0;
  uint64_t offset = 0;
};

// The last record of the archive: the one whose comment ends where the file ends.
std::optional<size_t> FindEnd(absl::string_view file) {
  if (file.size() < kEndBytes) return std::nullopt;
  const size_t last = file.size() - kEndBytes;
  const size_t first = last > kMaxComment ? last - kMaxComment : 0;
  for (size_t at = last + 1; at-- > first;) {
    if (base::ByteReader(file, at).Little(4) == kEndSignature && base::ByteReader(file, at + 20).Little(2) == last - at)
      return at;
  }
  return std::nullopt;
}

absl::StatusOr<Directory> FindDirectory(absl::string_view file) {
  const std::optional<size_t> end = FindEnd(file);
  if (!end) return MalformedCheckpoint("begins like a zip archive and does not end like one; it is cut off or damaged");
  Directory directory{*base::ByteReader(file, *end + 10).Little(2), *base::ByteReader(file, *end + 12).Little(4),
                      *base::ByteReader(file, *end + 16).Little(4)};
  size_t directory_end = *end;
  if (*end >= kLocator64Bytes && base::ByteReader(file, *end - kLocator64Bytes).Little(4) == kLocator64Signature) {
    const uint64_t at = *base::ByteReader(file, *end - kLocator64Bytes + 8).Little(8);
    if (at > file.size() || base::ByteReader(file, at).Little(4) != kEnd64Signature) return DirectoryProblem();
    base::ByteReader reader(file, at + 32);
    const std::optional<uint64_t> entries = reader.Little(8), bytes = reader.Little(8), offset = reader.Little(8);
    if (!entries || !bytes || !offset) return DirectoryProblem();
    if ((directory.entries != kSaturated16 && directory.entries != *entries) ||
        (directory.bytes != kSaturated32 && directory.bytes != *bytes) ||
        (directory.offset != kSaturated32 && directory.offset != *offset)) {
      return MalformedCheckpoint("is a zip archive with two directories that disagree");
    }
    directory = {*entries, *bytes, *offset};
    directory_end = at;
  }
  if (directory.offset > directory_end || directory.bytes != directory_end - directory.offset)
    return DirectoryProblem();
  return directory;
}

struct Member {
  absl::string_view name;
  uint64_t flags = 0, method = 0, crc = 0, stored = 0, size = 0, header = 0;
};

// What the 32-bit fields could not hold stands in an extra field, in this order and only where it is needed.
bool ReadZip64(absl::string_view extra, Member& member) {
  base::ByteReader fields(extra);
  while (fields.remaining() >= 4) {
    const uint64_t id = *fields.Little(2);
    const std::optional<absl::string_view> content = fields.Take(*fields.Little(2));
    if (!content) return false;
    if (id != kZip64Extra) continue;
    base::ByteReader reader(*content);
    for (uint64_t* const value : {&member.size, &member.stored, &member.header}) {
      if (*value != kSaturated32) continue;
      const std::optional<uint64_t> wide = reader.Little(8);
      if (!wide) return false;
      *value = *wide;
    }
  }
  return true;
}

std::optional<Member> ReadMember(base::ByteReader& reader) {
  if (reader.remaining() < kDirectoryEntryBytes || reader.Little(4) != kDirectorySignature) return std::nullopt;
  Member member;
  reader.Take(4);  // versions
  member.flags = *reader.Little(2);
  member.method = *reader.Little(2);
  reader.Take(4);  // time and date
  member.crc = *reader.Little(4);
  member.stored = *reader.Little(4);
  member.size = *reader.Little(4);
  const uint64_t name_bytes = *reader.Little(2), extra_bytes = *reader.Little(2), comment_bytes = *reader.Little(2);
  reader.Take(8);  // disk and attributes
  member.header = *reader.Little(4);
  const std::optional<absl::string_view> name = reader.Take(name_bytes), extra = reader.Take(extra_bytes);
  if (!name || !extra || !reader.Take(comment_bytes) || !ReadZip64(*extra, member)) return std::nullopt;
  member.name = *name;
  return member;
}

// The bytes of a member, all of which must lie before the directory.
absl::StatusOr<ZipEntry> ReadEntry(absl::string_view file, const Member& member) {
  if ((member.flags & kEncrypted) != 0) return EntryProblem(member.name, "is encrypted");
  if (member.method != 0 || member.stored != member.size) {
    return EntryProblem(member.name, "is compressed, as in TorchScript programs; torch.save stores entries as they are",
                        "Save the model's state_dict() with torch.save and import that.");
  }
  if (member.header > file.size() || file.size() - member.header < kLocalBytes ||
      base::ByteReader(file, member.header).Little(4) != kLocalSignature) {
    return EntryProblem(member.name, "does not begin where the directory says");
  }
  base::ByteReader local(file, member.header + 26);
  const uint64_t name_bytes = *local.Little(2), extra_bytes = *local.Little(2);
  const std::optional<absl::string_view> name = local.Take(name_bytes);
  if (name != member.name) return EntryProblem(member.name, "has another name than the directory says");
  if (!local.Take(extra_bytes)) return EntryProblem(member.name, "is cut off");
  const std::optional<absl::string_view> bytes = local.Take(member.size);
  if (!bytes) {
    return EntryProblem(member.name, absl::StrCat("claims ", member.size, " bytes; ", local.remaining(), " are there"));
  }
  return ZipEntry{member.name, *bytes};
}

uint64_t Crc(absl::string_view bytes) {
  return crc32_z(crc32_z(0, nullptr, 0), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

}  // namespace

absl::StatusOr<std::vector<ZipEntry>> ReadZip(absl::string_view file, const ZipLimits& limits) {
  SIGHTLINE_ASSIGN_OR_RETURN(const Directory directory, FindDirectory(file));
  if (directory.entries > limits.max_entries) {
    return MalformedCheckpoint(
        absl::StrCat("is a zip archive of ", directory.entries, " entries; the limit is ", limits.max_entries),
        "Save the model's state_dict() alone.");
  }
  if (directory.entries > directory.bytes / kDirectoryEntryBytes) return DirectoryProblem();
  base::ByteReader reader(file.substr(directory.offset, directory.bytes));
  const absl::string_view contents = file.substr(0, directory.offset);
  std::vector<ZipEntry> entries;
  std::vector<uint64_t> checksums;
  std::vector<std::pair<uint64_t, const char*>> ranges;  // where a member begins, and its end
  std::set<absl::string_view> names;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    const std::optional<Member> member = ReadMember(reader);
    if (!member) return DirectoryProblem();
    SIGHTLINE_ASSIGN_OR_RETURN(const ZipEntry entry, ReadEntry(contents, *member));
    if (!names.insert(entry.name).second) return EntryProblem(entry.name, "is there twice");
    entries.push_back(entry);
    checksums.push_back(member->crc);
    ranges.emplace_back(member->header, entry.bytes.data() + entry.bytes.size());
  }
  if (reader.remaining() != 0) return DirectoryProblem();
  std::sort(ranges.begin(), ranges.end());
  for (size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i - 1].second > file.data() + ranges[i].first) {
      return MalformedCheckpoint("is a zip archive whose entries lie over each other");
    }
  }
  // Last, because it reads every byte; overlaps would make that more than the file.
  for (size_t i = 0; i < entries.size(); ++i) {
    if (Crc(entries[i].bytes) != checksums[i]) {
      return EntryProblem(entries[i].name, "does not have the checksum that the directory gives");
    }
  }
  return entries;
}

}  // namespace sightline::weights
