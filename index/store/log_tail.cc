#include "index/store/log_tail.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "base/status.h"
#include "index/store/codec.h"
#include "index/store/files.h"

namespace sightline::index {
namespace {

// RocksDB's log format: blocks of 32 KiB, each filled with fragments: masked CRC-32C of type and data (4 bytes), size
// of the data (2), type (1), data. A record is one full fragment, or a first one, middle ones and a last one. What is
// left of a block that has no room for another header is zero. Numbers are little-endian.
constexpr size_t kLogBlock = 32'768;
constexpr size_t kHeader = 7;
constexpr uint8_t kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4;

// What a disk writes whole or not at all.
constexpr size_t kSector = 512;

// A log is not larger, or RocksDB would have started another.
constexpr int64_t kMaxLogBytes = int64_t{1} << 30;

uint32_t ByteAt(absl::string_view log, size_t at) { return static_cast<unsigned char>(log[at]); }

uint32_t StoredCrc(absl::string_view log, size_t at) {
  uint32_t stored = 0;
  for (size_t i = 0; i < 4; ++i) stored |= ByteAt(log, at + i) << (8 * i);
  return stored;
}

uint32_t Masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8U; }

struct Fragment {
  uint8_t type = 0;
  size_t end = 0;
};

// The fragment at `at`; nullopt when there is none, or not a sound one.
std::optional<Fragment> FragmentAt(absl::string_view log, size_t at) {
  const size_t block_end = std::min(log.size(), (at / kLogBlock + 1) * kLogBlock);
  if (at + kHeader > block_end) return std::nullopt;
  const uint8_t type = static_cast<uint8_t>(log[at + 6]);
  const size_t end = at + kHeader + (ByteAt(log, at + 4) | ByteAt(log, at + 5) << 8);
  if (type < kFull || type > kLast || end > block_end) return std::nullopt;
  if (Masked(base::Crc32c(log.substr(at + 6, end - at - 6))) != StoredCrc(log, at)) return std::nullopt;
  return Fragment{type, end};
}

size_t SkipBlockEnd(size_t at) {
  const size_t left = kLogBlock - at % kLogBlock;
  return left < kHeader ? at + left : at;
}

// Whether a whole sector of log[begin, end), or the part of one at either side, is zero. A few zero bytes at a side are
// nothing unusual; a sector is.
bool HasHole(absl::string_view log, size_t begin, size_t end) {
  for (size_t at = begin; at < end;) {
    const size_t next = std::min((at / kSector + 1) * kSector, end);
    const absl::string_view part = log.substr(at, next - at);
    if (part.size() >= kHeader && part.find_first_not_of('\0') == absl::string_view::npos) return true;
    at = next;
  }
  return false;
}

absl::StatusOr<std::string> ReadLog(const Files& files, const std::string& path) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::unique_ptr<FileReader> reader, files.Open(path));
  if (reader->size() > kMaxLogBytes) return DamagedError(path, absl::StrCat("it has ", reader->size(), " bytes"));
  std::string log(static_cast<size_t>(reader->size()), '\0');
  SIGHTLINE_RETURN_IF_ERROR(reader->Read(0, log.size(), log.data()));
  return log;
}

// What a log ends with that does not fill a block; a log that ends with a whole one is read to its end by RocksDB.
absl::StatusOr<std::string> ReadLastBlock(const Files& files, const std::string& path) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::unique_ptr<FileReader> reader, files.Open(path));
  std::string block(static_cast<size_t>(reader->size()) % kLogBlock, '\0');
  SIGHTLINE_RETURN_IF_ERROR(
      reader->Read(reader->size() - static_cast<int64_t>(block.size()), block.size(), block.data()));
  return block;
}

// The newest write-ahead log, and the manifest in use; what is not there is left out.
absl::StatusOr<std::vector<std::string>> NewestLogs(const Files& files, const std::string& folder) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(folder));
  std::vector<std::string> logs;
  uint64_t newest = 0;
  for (const std::string& name : names) {
    uint64_t number = 0;
    if (!absl::EndsWith(name, ".log") || !absl::SimpleAtoi(absl::StripSuffix(name, ".log"), &number)) continue;
    if (logs.empty() || number > newest) logs = {name};
    newest = std::max(newest, number);
  }
  if (const absl::StatusOr<std::string> current = ReadLog(files, absl::StrCat(folder, "/CURRENT")); current.ok()) {
    const absl::string_view manifest = absl::StripSuffix(*current, "\n");
    if (std::find(names.begin(), names.end(), manifest) != names.end()) logs.emplace_back(manifest);
  }
  return logs;
}

}  // namespace

std::optional<size_t> EndBeforeHoles(absl::string_view log, bool one_batch) {
  size_t sound_end = 0;  // of the last whole record
  size_t at = 0;
  bool inside = false;  // a record that has begun
  while ((at = SkipBlockEnd(at)) < log.size()) {
    const std::optional<Fragment> fragment = FragmentAt(log, at);
    const bool begins = fragment && (fragment->type == kFull || fragment->type == kFirst);
    if (!fragment || begins == inside) break;
    at = fragment->end;
    inside = fragment->type == kFirst || fragment->type == kMiddle;
    if (!inside) sound_end = at;
  }
  if (at >= log.size() || !HasHole(log, sound_end, log.size())) return std::nullopt;
  for (size_t later = at + 1; one_batch && later + kHeader <= log.size(); ++later) {
    if (log[later + 6] != kFull && log[later + 6] != kFirst) continue;
    if (FragmentAt(log, later)) return std::nullopt;
  }
  return sound_end;
}

std::optional<size_t> HiddenRecord(absl::string_view last_block) {
  size_t at = 0;
  while (const std::optional<Fragment> fragment = FragmentAt(last_block, at)) at = fragment->end;
  if (at + kHeader > last_block.size()) return std::nullopt;
  const size_t size = ByteAt(last_block, at + 4) | ByteAt(last_block, at + 5) << 8;
  // RocksDB finds one that ends within the log by its checksum.
  if (at + kHeader + size <= last_block.size()) return std::nullopt;
  uint32_t crc = base::Crc32c(last_block.substr(at + 6, 1));
  const uint32_t stored = StoredCrc(last_block, at);
  for (size_t end = at + kHeader;; ++end) {
    if (Masked(crc) == stored) return at;
    if (end == last_block.size()) return std::nullopt;
    crc = base::Crc32c(last_block.substr(end, 1), crc);
  }
}

absl::Status CheckLogEnds(rocksdb::Env* env, const std::string& folder) {
  const Files files(env);
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> logs, NewestLogs(files, folder));
  for (const std::string& name : logs) {
    const std::string path = absl::StrCat(folder, "/", name);
    SIGHTLINE_ASSIGN_OR_RETURN(const std::string block, ReadLastBlock(files, path));
    const std::optional<size_t> hidden = HiddenRecord(block);
    if (hidden) {
      return DamagedError(
          path, absl::StrCat("the size of the record ", block.size() - *hidden, " bytes before its end is wrong"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> CutTornLogs(rocksdb::Env* env, const std::string& folder) {
  const Files files(env);
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> logs, NewestLogs(files, folder));
  bool cut = false;
  for (const std::string& name : logs) {
    const std::string path = absl::StrCat(folder, "/", name);
    SIGHTLINE_ASSIGN_OR_RETURN(const std::string log, ReadLog(files, path));
    const std::optional<size_t> end = EndBeforeHoles(log, /*one_batch=*/absl::EndsWith(name, ".log"));
    if (!end) continue;
    base::Log(base::Severity::kWarning, "cutting off what a power loss has left at the end of a log",
              {{"path", path}, {"size", absl::StrCat(log.size())}, {"keeps", absl::StrCat(*end)}});
    SIGHTLINE_ASSIGN_OR_RETURN(const std::unique_ptr<FileSink> sink, files.Create(path));
    SIGHTLINE_RETURN_IF_ERROR(sink->Append(absl::string_view(log).substr(0, *end)));
    SIGHTLINE_RETURN_IF_ERROR(sink->Finish());
    cut = true;
  }
  return cut;
}

}  // namespace sightline::index
