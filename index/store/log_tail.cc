#include "index/store/log_tail.h"

#include <algorithm>
#include <array>
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

constexpr uint32_t kMaskDelta = 0xa282ead8U;
uint32_t Masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + kMaskDelta; }
uint32_t Unmasked(uint32_t masked) { return ((masked - kMaskDelta) << 15) | ((masked - kMaskDelta) >> 17); }

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

// Where the fragment at `at` ends if its size is right, or its block or the log if that is before.
size_t ClaimedEnd(absl::string_view log, size_t at) {
  const size_t block_end = std::min(log.size(), (at / kLogBlock + 1) * kLogBlock);
  if (at + kHeader > block_end) return block_end;
  return std::min(block_end, at + kHeader + (ByteAt(log, at + 4) | ByteAt(log, at + 5) << 8));
}

struct Bytes {
  size_t begin = 0, end = 0;
  size_t size() const { return end - begin; }
};

// The sectors of the fragment at `at`, or parts of one at its sides, that are zero. One without a type has lost its
// size as well, and may be all that follows.
std::vector<Bytes> Holes(absl::string_view log, size_t at) {
  std::vector<Bytes> holes;
  const bool typed = at + kHeader <= log.size() && ByteAt(log, at + 6) >= kFull && ByteAt(log, at + 6) <= kLast;
  const size_t end = typed ? ClaimedEnd(log, at) : log.size();
  while (at < end) {
    const size_t next = std::min((at / kSector + 1) * kSector, end);
    if (log.substr(at, next - at).find_first_not_of('\0') == absl::string_view::npos) holes.push_back({at, next});
    at = next;
  }
  return holes;
}

void FlipBit(std::string& log, size_t bit) { log[bit / 8] = static_cast<char>(log[bit / 8] ^ 1 << bit % 8); }

// The bit of the log that makes the fragment at `at` a sound one when it is flipped; nullopt when there is none. A
// checksum is linear: how a bit changes it depends on how many bytes follow, not on what they are.
std::optional<size_t> FlippedBit(std::string& log, size_t at) {
  if (at + kHeader > log.size()) return std::nullopt;
  // Another checksum, or another size.
  for (size_t bit = 8 * at; bit < 8 * (at + 6); ++bit) {
    FlipBit(log, bit);
    const bool sound = FragmentAt(log, at).has_value();
    FlipBit(log, bit);
    if (sound) return bit;
  }
  const size_t end = ClaimedEnd(log, at);
  const uint32_t wanted =
      base::Crc32c(absl::string_view(log).substr(at + 6, end - at - 6)) ^ Unmasked(StoredCrc(log, at));
  const absl::string_view zero("\0", 1);
  const auto moved_on = [&](uint32_t change) { return base::Crc32c(zero, change) ^ base::Crc32c(zero); };
  std::array<uint32_t, 8> changes{};
  for (size_t bit = 0; bit < 8; ++bit) {
    const char flipped = static_cast<char>(1 << bit);
    changes[bit] = base::Crc32c(absl::string_view(&flipped, 1)) ^ base::Crc32c(zero);
  }
  for (size_t byte = end; byte-- > at + 6;) {
    for (size_t bit = 0; bit < 8; ++bit) {
      if (changes[bit] == wanted) {
        FlipBit(log, 8 * byte + bit);
        const bool sound = FragmentAt(log, at).has_value();  // not so when its type is none
        FlipBit(log, 8 * byte + bit);
        if (sound) return 8 * byte + bit;
      }
      changes[bit] = moved_on(changes[bit]);
    }
  }
  return std::nullopt;
}

// The state of the checksum from which `zeros` bytes of zero lead to `state`.
uint32_t StateBefore(uint32_t state, size_t zeros) {
  constexpr uint32_t kPolynomial = 0x82f63b78U;  // its highest bit says whether it was applied
  for (size_t bit = 0; bit < 8 * zeros; ++bit) {
    const uint32_t low = state >> 31;
    state = ((state ^ (low != 0 ? kPolynomial : 0)) << 1) | low;
  }
  return state;
}

// Puts what was there into a hole at the beginning of the fragment at `at`, where its checksum stands, or at its end.
// Two bytes leave half of the checksum to tell that it is right.
constexpr size_t kMaxFilled = 2;
bool Fill(std::string& log, size_t at, const Bytes& hole) {
  if (hole.size() > kMaxFilled || at + kHeader > log.size()) return false;
  const auto put = [&](uint32_t bytes) {
    for (size_t i = 0; i < hole.size(); ++i) log[hole.begin + i] = static_cast<char>(bytes >> (8 * i));
  };
  const auto crc_to = [&](size_t end) { return base::Crc32c(absl::string_view(log).substr(at + 6, end - at - 6)); };
  const size_t end = ClaimedEnd(log, at);
  if (hole.begin == at) {
    put(Masked(crc_to(end)));
  } else if (hole.end == end && hole.begin >= at + kHeader) {
    // Up to four bytes change the state as zeros do after the bytes were added to it, the first to its lowest byte.
    const uint32_t before = ~crc_to(hole.begin), after = ~Unmasked(StoredCrc(log, at));
    put(before ^ StateBefore(after, hole.size()));
  }
  return FragmentAt(log, at).has_value();
}

// The records of a log up to the first fragment that does not belong to them.
struct SoundPart {
  size_t records_end = 0;  // of the last whole record
  size_t end = 0;          // of the last sound fragment
  bool in_order = true;    // what follows is not a sound fragment in the wrong place
};

SoundPart ReadSoundPart(absl::string_view log) {
  SoundPart part;
  bool inside = false;  // a record that has begun
  while ((part.end = SkipBlockEnd(part.end)) < log.size()) {
    const std::optional<Fragment> fragment = FragmentAt(log, part.end);
    if (!fragment) break;
    part.in_order = (fragment->type == kFull || fragment->type == kFirst) != inside;
    if (!part.in_order) break;
    part.end = fragment->end;
    inside = fragment->type == kFirst || fragment->type == kMiddle;
    if (!inside) part.records_end = part.end;
  }
  return part;
}

bool RecordBeginsAfter(absl::string_view log, size_t at) {
  for (size_t later = at + 1; later + kHeader <= log.size(); ++later) {
    if ((log[later + 6] == kFull || log[later + 6] == kFirst) && FragmentAt(log, later)) return true;
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

TornEnd MendTornEnd(std::string& log, bool one_batch) {
  for (TornEnd mended = TornEnd::kNone;; mended = TornEnd::kFilled) {
    const SoundPart sound = ReadSoundPart(log);
    if (sound.end >= log.size()) return mended;
    const std::vector<Bytes> holes = Holes(log, sound.end);
    if (holes.empty() || !sound.in_order || (one_batch && RecordBeginsAfter(log, sound.end))) return TornEnd::kNone;
    if (const std::optional<size_t> bit = FlippedBit(log, sound.end)) {
      const bool in_hole = std::any_of(
          holes.begin(), holes.end(), [&](const Bytes& hole) { return *bit / 8 >= hole.begin && *bit / 8 < hole.end; });
      if (!in_hole) return TornEnd::kNone;
      // A flipped bit or a hole: this is what was there before either.
      FlipBit(log, *bit);
      continue;
    }
    if (std::any_of(holes.begin(), holes.end(), [](const Bytes& hole) { return hole.size() > kMaxFilled; })) {
      log.resize(sound.records_end);
      return TornEnd::kCut;
    }
    if (std::none_of(holes.begin(), holes.end(), [&](const Bytes& hole) { return Fill(log, sound.end, hole); })) {
      return TornEnd::kNone;
    }
  }
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

absl::StatusOr<bool> MendTornLogs(rocksdb::Env* env, const std::string& folder) {
  const Files files(env);
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> logs, NewestLogs(files, folder));
  bool any = false;
  for (const std::string& name : logs) {
    const std::string path = absl::StrCat(folder, "/", name);
    SIGHTLINE_ASSIGN_OR_RETURN(std::string log, ReadLog(files, path));
    const size_t size = log.size();
    const TornEnd mended = MendTornEnd(log, /*one_batch=*/absl::EndsWith(name, ".log"));
    if (mended == TornEnd::kNone) continue;
    base::Log(base::Severity::kWarning,
              mended == TornEnd::kCut ? "cutting off what a power loss has left at the end of a log"
                                      : "filling what a power loss has left out at the end of a log",
              {{"path", path}, {"size", absl::StrCat(size)}, {"keeps", absl::StrCat(log.size())}});
    SIGHTLINE_ASSIGN_OR_RETURN(const std::unique_ptr<FileSink> sink, files.Create(path));
    SIGHTLINE_RETURN_IF_ERROR(sink->Append(log));
    SIGHTLINE_RETURN_IF_ERROR(sink->Finish());
    any = true;
  }
  return any;
}

}  // namespace sightline::index
