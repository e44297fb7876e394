// Any bytes as what a data directory holds: the first byte says which value, the second whether its checksum (those of
// a log's fragments) is made right, so that what is behind the checksum is reached.
#include <string>

#include "absl/strings/str_cat.h"
#include "base/crc32c.h"
#include "index/store/codec.h"
#include "index/store/keys.h"
#include "index/store/log_tail.h"
#include "index/store/record_codec.h"
#include "index/store/segment_manifest.h"
#include "index/store/small_codec.h"
#include "index/store/snapshot_manifest.h"
#include "index/store/spaces_file.h"
#include "index/store/token_codec.h"
#include "tests/fuzz/fuzz_check.h"

namespace sightline::index {
namespace {

// RocksDB's log: blocks of 32 KiB; a fragment is its masked checksum, the size of its data, its type, its data.
void RepairLog(std::string* log) {
  constexpr size_t kBlock = 32'768, kHeader = 7;
  for (size_t at = 0; at + kHeader <= log->size();) {
    const size_t left = kBlock - at % kBlock;
    if (left < kHeader) {
      at += left;
      continue;
    }
    const auto byte = [&](size_t offset) { return size_t{static_cast<uint8_t>((*log)[at + offset])}; };
    const size_t size = byte(4) | byte(5) << 8;
    if (size > log->size() - at - kHeader) return;
    const uint32_t crc = base::Crc32c(absl::string_view(*log).substr(at + 6, 1 + size));
    log->replace(at, 4, testing::Little("", {((crc >> 15) | (crc << 17)) + 0xa282ead8U}));
    at += kHeader + size;
  }
}

}  // namespace
}  // namespace sightline::index

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sightline;         // NOLINT(google-build-using-namespace): a program of one function
  using namespace sightline::index;  // NOLINT(google-build-using-namespace)
  if (size < 2) return 0;
  const absl::string_view rest = testing::View(data + 2, size - 2);
  const auto value = [&](absl::string_view key) {
    std::string bytes(rest);
    if (data[1] % 2 == 0) SealValue(key, &bytes);
    return bytes;
  };
  const std::string key = RecordKey(7);
  constexpr absl::string_view kMagic = "SLSNAP\r\n";  // of a snapshot's manifest, and the key of its checksum
  switch (data[0] % 14) {
    case 0: testing::CheckAnswer(DecodeConfig(kConfigKey, value(kConfigKey)).status()); break;
    case 1: testing::CheckAnswer(DecodeCounters(kCountersKey, value(kCountersKey)).status()); break;
    case 2: testing::CheckAnswer(DecodeConfidence(kConfidenceKey, value(kConfidenceKey)).status()); break;
    case 3: testing::CheckAnswer(DecodeRecordKey("id", value("id")).status()); break;
    case 4: testing::CheckAnswer(DecodeRequest("r1", value("r1")).status()); break;
    case 5: testing::CheckAnswer(DecodeRecord(key, value(key)).status()); break;
    case 6: testing::CheckAnswer(DecodeDescriptor(key, value(key), 8).status()); break;
    case 7: testing::CheckAnswer(DecodeImage(key, value(key)).status()); break;
    case 8: testing::CheckAnswer(DecodeTokens(key, value(key)).status()); break;
    case 9: testing::CheckAnswer(DecodeSegmentManifest(kSegmentsKey, value(kSegmentsKey)).status()); break;
    case 10: testing::CheckAnswer(DecodeSpaces(value("spaces")).status()); break;
    case 11: {
      const auto manifest = DecodeSnapshotManifest(absl::StrCat(kMagic, value(kMagic)));
      testing::CheckAnswer(manifest.status());
      if (!manifest.ok()) break;
      for (const SnapshotFile& file : manifest->files) testing::Expect(IsSnapshotPath(file.path));
      break;
    }
    case 12: {
      // A log is cut inside of it, or keeps its size.
      std::string log(rest);
      if (data[1] % 2 == 0) RepairLog(&log);
      const size_t whole = log.size();
      const TornEnd mended = MendTornEnd(log, (data[1] & 2) == 0);
      testing::Expect(log.size() <= whole && (mended == TornEnd::kCut || log.size() == whole));
      break;
    }
    default:
      ParseRecordKey(rest);
      ParseRequestTimeKey(rest);
      ParsePageToken(rest);
  }
  return 0;
}
