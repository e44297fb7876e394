// Snapshots as streams: to another data directory and back, and streams made to do harm.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <limits>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/crc32c.h"
#include "base/sha256.h"
#include "index/store/snapshot_manifest.h"
#include "tests/index/snapshot_fixture.h"

namespace sightline::index {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr size_t kHeader = 16;

std::string Number(uint32_t value) {
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(value >> shift));
  return bytes;
}

std::string StreamOf(const std::string& manifest, const std::string& files) {
  return absl::StrCat("SLSTREAM", Number(1), Number(static_cast<uint32_t>(manifest.size())), manifest, files);
}

// A right checksum for the bytes before it.
void SealManifest(std::string* manifest) {
  manifest->resize(manifest->size() - 4);
  manifest->append(Number(base::Crc32c(*manifest)));
}

class SnapshotStreamTest : public SnapshotTest {
 protected:
  SnapshotStreamTest() {
    other_options_ = options_;
    other_options_.directory = folder_.path() + "/other";
  }

  void OpenOther() {
    auto opened = Database::Open(other_options_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    other_ = *std::move(opened);
  }

  std::string OtherArea(const std::string& name) const { return absl::StrCat(other_options_.directory, "/", name); }

  // Nothing was taken in, and nothing lies where it does not belong.
  void ExpectNothingThere() const {
    EXPECT_TRUE(Entries(OtherArea("snapshots")).empty());
    EXPECT_TRUE(Entries(OtherArea("staging")).empty());
    EXPECT_TRUE(Entries(OtherArea("trash")).empty());
    EXPECT_EQ(Entries(other_options_.directory).size(), 6u);
    EXPECT_EQ(Entries(folder_.path()).size(), database_ == nullptr ? 1u : 2u);
  }

  // A snapshot of files that no RocksDB would open: taking it in does not look inside them.
  SnapshotManifest Synthetic() {
    SnapshotManifest manifest{"shop", 7, 5, absl::FromUnixSeconds(1'700'000'000), {}};
    contents_ = {{"000003.sst", "table"}, {"000004.log", ""}, {"CURRENT", "x\n"}, {"segments/1.seg", "codes"}};
    for (const auto& [path, content] : contents_) {
      manifest.files.push_back({path, static_cast<int64_t>(content.size()), base::Sha256Hex(content)});
      files_ += content;
    }
    return manifest;
  }

  absl::Status SendManifest(const std::string& manifest, const std::string& files) {
    return Send(*other_, StreamOf(manifest, files), base::Sha256Hex(manifest)).status();
  }

  DatabaseOptions other_options_;
  std::unique_ptr<Database> other_;
  std::vector<std::pair<std::string, std::string>> contents_;
  std::string files_;
};

TEST_F(SnapshotStreamTest, BringsACollectionToAnotherDataDirectory) {
  Start();
  Fill(40);
  Restart();
  Fill(50);
  const auto contents = Contents(*collection_);
  const SnapshotInfo info = Take();
  const std::string stream = Stream(info.name);
  EXPECT_EQ(Stream(info.name), stream);
  OpenOther();
  ASSERT_TRUE(other_->Create(config_).ok());
  int number = 0;
  for (const size_t piece : {stream.size(), size_t{1}, size_t{17}, size_t{4096}}) {
    const auto sent = Send(*other_, stream, info.sha256, piece);
    ASSERT_TRUE(sent.ok()) << sent.status();
    EXPECT_EQ(sent->name, absl::StrCat("snapshots/", ++number));
    EXPECT_EQ(sent->collection, info.collection);
    EXPECT_EQ(sent->sequence, info.sequence);
    EXPECT_EQ(sent->images, info.images);
    EXPECT_EQ(sent->size_bytes, info.size_bytes);
    EXPECT_EQ(sent->sha256, info.sha256);
    EXPECT_EQ(sent->create_time, info.create_time);
  }
  EXPECT_EQ(other_->ListSnapshots("shop")->size(), 4u);
  EXPECT_TRUE(Entries(OtherArea("staging")).empty());
  auto restored = other_->RestoreSnapshot("snapshots/2", "copy", nullptr);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(Contents(**restored), contents);
  auto back = other_->ReadSnapshot("snapshots/3");
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*(*back)->Read(0, (*back)->size()), stream);
}

TEST_F(SnapshotStreamTest, CanBeReadFromAnyOffset) {
  Start();
  Fill(20);
  const SnapshotInfo info = Take();
  const std::string stream = Stream(info.name);
  auto reader = database_->ReadSnapshot(info.name);
  ASSERT_TRUE(reader.ok());
  const int64_t size = (*reader)->size();
  ASSERT_EQ(size, static_cast<int64_t>(stream.size()));
  EXPECT_EQ(size, info.size_bytes + static_cast<int64_t>(kHeader));
  for (int i = 0; i < 2'000; ++i) {
    const size_t offset = random_() % (stream.size() + 1);
    const size_t most = random_() % (i % 2 == 0 ? 100 : 2 * stream.size());
    const auto read = (*reader)->Read(static_cast<int64_t>(offset), static_cast<int64_t>(most));
    ASSERT_TRUE(read.ok()) << read.status();
    ASSERT_EQ(*read, stream.substr(offset, most)) << offset << " " << most;
  }
  EXPECT_EQ(*(*reader)->Read(size, 10), "");
  EXPECT_EQ(*(*reader)->Read(5, -1), "");
  EXPECT_EQ(Reason((*reader)->Read(-1, 10).status()), "OFFSET_INVALID");
  EXPECT_EQ(Reason((*reader)->Read(size + 1, 10).status()), "OFFSET_INVALID");
  EXPECT_EQ(Reason((*reader)->Read(std::numeric_limits<int64_t>::max(), 10).status()), "OFFSET_INVALID");
  EXPECT_EQ((*reader)->Read(1, std::numeric_limits<int64_t>::max())->size(), stream.size() - 1);
}

TEST_F(SnapshotStreamTest, AFileCutShortIsNamedWhileReading) {
  Start();
  Fill(20);
  const SnapshotInfo info = Take();
  const std::string path = Area(info.name) + "/CURRENT";
  Replace(path, Bytes(path).substr(1));
  auto reader = database_->ReadSnapshot(info.name);
  const absl::Status status = (*reader)->Read(0, (*reader)->size()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Fact(status, "file"), "CURRENT");
  fs::remove(path);
  reader = database_->ReadSnapshot(info.name);
  EXPECT_EQ(Fact((*reader)->Read(0, (*reader)->size()).status(), "file"), "CURRENT");
}

TEST_F(SnapshotStreamTest, TakesInWhatTheManifestSaysAndNothingElse) {
  OpenOther();
  const std::string manifest = EncodeSnapshotManifest(Synthetic());
  const std::string stream = StreamOf(manifest, files_);
  const auto info = Send(*other_, stream, base::Sha256Hex(manifest), 3);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->images, 5);
  EXPECT_EQ(info->sequence, 7);
  for (const auto& [path, content] : contents_) EXPECT_EQ(Bytes(OtherArea(info->name) + "/" + path), content);
  EXPECT_EQ(Entries(OtherArea(info->name)).size(), contents_.size() + 1);
  EXPECT_EQ(Bytes(OtherArea(info->name) + "/SNAPSHOT"), manifest);
  // Its files are not those of a collection.
  EXPECT_EQ(other_->RestoreSnapshot(info->name, "copy", nullptr).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(Entries(OtherArea("collections")).empty());
  EXPECT_TRUE(Entries(OtherArea("staging")).empty());
}

TEST_F(SnapshotStreamTest, RefusesAStreamCutAtAnyOffset) {
  OpenOther();
  const std::string manifest = EncodeSnapshotManifest(Synthetic());
  const std::string stream = StreamOf(manifest, files_);
  for (size_t size = 0; size < stream.size(); ++size) {
    const absl::Status status = Send(*other_, stream.substr(0, size), base::Sha256Hex(manifest)).status();
    ASSERT_EQ(status.code(), absl::StatusCode::kDataLoss) << size << ": " << status;
    ASSERT_EQ(Reason(status), "SNAPSHOT_DAMAGED");
  }
  EXPECT_EQ(Send(*other_, stream + "x", base::Sha256Hex(manifest)).status().code(), absl::StatusCode::kDataLoss);
  ExpectNothingThere();
}

TEST_F(SnapshotStreamTest, RefusesAStreamWithAnyByteChanged) {
  OpenOther();
  const std::string manifest = EncodeSnapshotManifest(Synthetic());
  const std::string stream = StreamOf(manifest, files_);
  for (size_t i = 0; i < stream.size(); ++i) {
    for (const int flip : {1 << random_() % 8, 255}) {
      std::string changed = stream;
      changed[i] = static_cast<char>(changed[i] ^ flip);
      const absl::Status status = Send(*other_, changed, base::Sha256Hex(manifest)).status();
      ASSERT_THAT(status.code(), AnyOf(absl::StatusCode::kDataLoss, absl::StatusCode::kFailedPrecondition))
          << i << ": " << status;
    }
  }
  ExpectNothingThere();
}

TEST_F(SnapshotStreamTest, AManifestMadeToDeceiveDoesNoHarm) {
  OpenOther();
  const std::string manifest = EncodeSnapshotManifest(Synthetic());
  int taken = 0;
  // Each byte changed, under checksums that match: what is still a manifest is taken in, and all else leaves nothing.
  for (size_t i = 0; i + 4 < manifest.size(); ++i) {
    const int values[] = {0, 255, static_cast<int>(random_() % 256)};
    const int value = values[i % 3];
    std::string changed = manifest;
    changed[i] = static_cast<char>(value);
    SealManifest(&changed);
    const absl::Status status = SendManifest(changed, files_);
    if (status.ok()) {
      const auto listed = other_->ListSnapshots("");
      ASSERT_EQ(listed->size(), 1u);
      ASSERT_TRUE(other_->DeleteSnapshot(listed->front().name).ok());
      ++taken;
    } else {
      ASSERT_THAT(status.code(), AnyOf(absl::StatusCode::kDataLoss, absl::StatusCode::kFailedPrecondition,
                                       absl::StatusCode::kResourceExhausted))
          << i << " = " << value << ": " << status;
    }
  }
  EXPECT_GT(taken, 0);
  fs::remove(OtherArea("snapshots/LAST"));
  ExpectNothingThere();
}

TEST_F(SnapshotStreamTest, RefusesPathsThatNoSnapshotHas) {
  OpenOther();
  const std::string digest = base::Sha256Hex("");
  const std::string nul("000001.sst\0x", 12);
  for (const std::string& path : {std::string(),
                                  std::string("."),
                                  std::string(".."),
                                  std::string("../000001.sst"),
                                  std::string("/000001.sst"),
                                  std::string("/etc/passwd"),
                                  std::string("a/000001.sst"),
                                  std::string("segments"),
                                  std::string("segments/"),
                                  std::string("segments/.."),
                                  std::string("segments/../CURRENT"),
                                  std::string("segments/a/b"),
                                  std::string("segments//a"),
                                  std::string("segments/.hidden"),
                                  std::string("segments/1.seg.tmp"),
                                  std::string("segments/a\nb"),
                                  std::string("segments/") + std::string(129, 'a'),
                                  std::string("SNAPSHOT"),
                                  std::string("LOCK"),
                                  std::string("LOG"),
                                  std::string("IDENTITY"),
                                  std::string("OPTIONS-000001"),
                                  std::string("CURRENT "),
                                  std::string("current"),
                                  std::string("MANIFEST-"),
                                  std::string("MANIFEST-1x"),
                                  std::string("MANIFEST-../1"),
                                  std::string(".sst"),
                                  std::string("1.sst/"),
                                  std::string("x1.sst"),
                                  nul,
                                  std::string(4000, '1') + ".sst"}) {
    SnapshotManifest manifest{"shop", 1, 1, absl::UnixEpoch(), {{path, 0, digest}}};
    const absl::Status status = SendManifest(EncodeSnapshotManifest(manifest), "");
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << path << ": " << status;
    EXPECT_FALSE(IsSnapshotPath(path)) << path;
  }
  ExpectNothingThere();
}

TEST_F(SnapshotStreamTest, RefusesManifestsThatDoNotAddUp) {
  OpenOther();
  const std::string digest = base::Sha256Hex("");
  const auto send = [&](const SnapshotManifest& manifest) {
    return SendManifest(EncodeSnapshotManifest(manifest), "").code();
  };
  const SnapshotFile a{"1.sst", 0, digest};
  const SnapshotFile b{"2.sst", 0, digest};
  const absl::Time time = absl::UnixEpoch();
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(send({"shop", 1, 1, time, {a, a}}), absl::StatusCode::kDataLoss);
  EXPECT_EQ(send({"shop", 1, 1, time, {b, a}}), absl::StatusCode::kDataLoss);
  EXPECT_EQ(send({"../x", 1, 1, time, {a}}), absl::StatusCode::kDataLoss);
  EXPECT_EQ(send({"", 1, 1, time, {a}}), absl::StatusCode::kDataLoss);
  EXPECT_EQ(send({"shop", -1, 1, time, {a}}), absl::StatusCode::kDataLoss);
  EXPECT_EQ(send({"shop", 1, -1, time, {a}}), absl::StatusCode::kDataLoss);
  EXPECT_EQ(send({"shop", 1, 1, time, {{"1.sst", -1, digest}}}), absl::StatusCode::kDataLoss);
  EXPECT_EQ(send({"shop", 1, 1, time, {{"1.sst", kMost, digest}}}), absl::StatusCode::kDataLoss);
  EXPECT_EQ(send({"shop", 1, 1, time, {{"1.sst", kMost / 2, digest}, {"2.sst", kMost / 2, digest}}}),
            absl::StatusCode::kDataLoss);
  SnapshotManifest many{"shop", 1, 1, time, {}};
  for (size_t i = 0; i <= kMaxSnapshotFiles; ++i)
    many.files.push_back({absl::StrCat(1'000'000 + i, ".sst"), 0, digest});
  EXPECT_EQ(send(many), absl::StatusCode::kDataLoss);
  // More files declared than there are bytes for.
  std::string claims = EncodeSnapshotManifest({"shop", 1, 1, time, {}});
  claims.replace(claims.size() - 8, 4, Number(50'000));
  SealManifest(&claims);
  EXPECT_EQ(SendManifest(claims, "").code(), absl::StatusCode::kDataLoss);
  // More than any disk has: refused before a byte of it is written.
  const absl::Status huge =
      SendManifest(EncodeSnapshotManifest({"shop", 1, 1, time, {{"1.sst", int64_t{1} << 60, digest}}}), "");
  EXPECT_EQ(huge.code(), absl::StatusCode::kResourceExhausted) << huge;
  EXPECT_EQ(Reason(huge), "DISK_FULL");
  ExpectNothingThere();
}

TEST_F(SnapshotStreamTest, RefusesHeadersWithoutReadingOn) {
  OpenOther();
  const std::string sha256 = base::Sha256Hex("");
  const auto append = [&](const std::string& header) { return (*other_->WriteSnapshot(sha256))->Append(header); };
  EXPECT_EQ(Reason(append("SLSTREAM" + Number(2) + Number(100))), "FORMAT_UNKNOWN");
  EXPECT_EQ(append("SLSTREAM" + Number(1) + Number(0)).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(append("SLSTREAM" + Number(1) + Number((16 << 20) + 1)).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(append("SLSTREAM" + Number(1) + Number(0xffffffff)).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(append(std::string(16, '\0')).code(), absl::StatusCode::kDataLoss);
  for (const std::string& bad : {std::string(), std::string(64, 'g'), std::string(64, 'A'), std::string(63, 'a')}) {
    EXPECT_EQ(Reason(other_->WriteSnapshot(bad).status()), "SHA256_INVALID");
  }
  // A manifest of another format, under right checksums.
  const std::string newer = Bytes(std::string(SIGHTLINE_TEST_DATA) + "/snapshot_manifest_v2");
  EXPECT_EQ(Reason(SendManifest(newer, "")), "FORMAT_UNKNOWN");
  ExpectNothingThere();
}

TEST_F(SnapshotStreamTest, AnUnfinishedOrFailedUploadLeavesNothing) {
  OpenOther();
  const std::string manifest = EncodeSnapshotManifest(Synthetic());
  const std::string stream = StreamOf(manifest, files_);
  auto writer = other_->WriteSnapshot(base::Sha256Hex(manifest));
  ASSERT_TRUE((*writer)->Append(stream.substr(0, stream.size() - 10)).ok());
  EXPECT_EQ(Entries(OtherArea("staging")).size(), 1u);
  writer->reset();
  ExpectNothingThere();

  writer = other_->WriteSnapshot(base::Sha256Hex(manifest));
  const absl::Status failed = (*writer)->Append(stream.substr(0, kHeader + manifest.size()) + "other");
  EXPECT_EQ(failed.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(failed.message()), HasSubstr("000003.sst"));
  ExpectNothingThere();
  EXPECT_EQ((*writer)->Append("more"), failed);
  EXPECT_EQ((*writer)->Finish().status(), failed);

  writer = other_->WriteSnapshot(base::Sha256Hex(manifest));
  ASSERT_TRUE((*writer)->Append(stream).ok());
  ASSERT_TRUE((*writer)->Finish().ok());
  EXPECT_EQ(Reason((*writer)->Finish().status()), "SNAPSHOT_FINISHED");
  EXPECT_EQ(Reason((*writer)->Append("x")), "SNAPSHOT_FINISHED");
  EXPECT_EQ(other_->ListSnapshots("")->size(), 1u);
}

TEST_F(SnapshotStreamTest, AFullDiskRefusesItAndKeepsNothing) {
  const std::string mount = folder_.path() + "/small";
  ASSERT_TRUE(fs::create_directory(mount));
  if (::mount("tmpfs", mount.c_str(), "tmpfs", 0, "size=8m") != 0) {
    GTEST_SKIP() << "cannot mount a small tmpfs: " << std::strerror(errno);
  }
  const absl::Cleanup unmount = [&] {
    other_.reset();
    ::umount(mount.c_str());
  };
  other_options_.directory = mount + "/data";
  OpenOther();
  const auto stream_of = [](size_t size, std::string* sha256) {
    const std::string content(size, 'c');
    const std::string manifest = EncodeSnapshotManifest(
        {"shop", 1, 1, absl::UnixEpoch(), {{"1.sst", static_cast<int64_t>(size), base::Sha256Hex(content)}}});
    *sha256 = base::Sha256Hex(manifest);
    return StreamOf(manifest, content);
  };
  std::string sha256;
  // Larger than what is free: refused by its manifest.
  const std::string large = stream_of(9 << 20, &sha256);
  auto writer = other_->WriteSnapshot(sha256);
  const absl::Status refused = (*writer)->Append(large.substr(0, 200));
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
  EXPECT_EQ(Reason(refused), "DISK_FULL");
  EXPECT_TRUE(Entries(OtherArea("staging")).empty());
  // It fits when it begins, and something else takes the space.
  const std::string fitting = stream_of(5 << 20, &sha256);
  writer = other_->WriteSnapshot(sha256);
  ASSERT_TRUE((*writer)->Append(fitting.substr(0, 1 << 20)).ok());
  Replace(mount + "/ballast", std::string(4 << 20, 'x'));
  const absl::Status full = (*writer)->Append(fitting.substr(1 << 20));
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
  EXPECT_EQ(Reason(full), "DISK_FULL");
  EXPECT_TRUE(Entries(OtherArea("staging")).empty());
  EXPECT_TRUE(Entries(OtherArea("snapshots")).empty());
  fs::remove(mount + "/ballast");
  EXPECT_TRUE(Send(*other_, fitting, sha256).ok());
}

// Of record i of the golden snapshot; the second one is large enough for a blob file.
std::string GoldenImage(int i) { return std::string(static_cast<size_t>(i == 2 ? 4'200 : i), 'i'); }

// tests/data/snapshot_v1 was written by WritesTheGoldenSnapshot below, once, when format 1 was made.
constexpr absl::string_view kGoldenSha256 = "a53f43689e9ee6314f5a4ff74d3c2080bcfa2d1861eed02c07fa25579dc95894";

TEST_F(SnapshotStreamTest, ASnapshotOfFormat1IsRestored) {
  OpenOther();
  const std::string stream = Bytes(std::string(SIGHTLINE_TEST_DATA) + "/snapshot_v1");
  const auto info = Send(*other_, stream, std::string(kGoldenSha256));
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->collection, "shop");
  EXPECT_EQ(info->sequence, 6);
  EXPECT_EQ(info->images, 3);
  auto restored = other_->RestoreSnapshot(info->name, "copy", nullptr);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ((*restored)->config().embedding_space, "space");
  EXPECT_EQ((*restored)->Stats().images, 3);
  for (const int i : {1, 2, 3}) {
    const auto record = (*restored)->Get(absl::StrCat("r", i), RecordView::kVectors);
    ASSERT_TRUE(record.ok()) << record.status();
    EXPECT_EQ(record->revision, i == 3 ? 2 : 1);
    EXPECT_EQ(record->attributes.at("number"), AttributeValue(static_cast<int64_t>(i)));
    ASSERT_EQ(record->descriptor.size(), 8u);
    EXPECT_EQ(record->descriptor[static_cast<size_t>(i)], 1.0f);
    EXPECT_EQ(record->tokens.has_value(), i == 2);
    EXPECT_EQ((*restored)->Get(absl::StrCat("r", i), RecordView::kImage)->image, GoldenImage(i));
  }
  collection_ = *restored;
  std::vector<float> query(8, 0.0f);
  query[2] = 1;
  EXPECT_EQ(Search(query, 1).at(0).id, "r2");
}

TEST_F(SnapshotStreamTest, DISABLED_WritesTheGoldenSnapshot) {
  Start();
  for (const int i : {0, 1, 2, 3, 3}) {
    std::vector<float> descriptor(8, 0.0f);
    descriptor[static_cast<size_t>(i)] = 1;
    Write write = MakeWrite(absl::StrCat("r", i), descriptor, i == 1 ? "request" : "");
    write.record.attributes = {{"number", static_cast<int64_t>(i)}};
    write.record.image = GoldenImage(i);
    if (i == 2) write.record.tokens = RandomTokens(random_, 2, 2, 4);
    ASSERT_TRUE(collection_->Put(std::move(write)).ok());
    // Half of it is in tables.
    if (i == 2) Restart();
  }
  ASSERT_TRUE(collection_->Delete({{"r0"}}).ok());
  const SnapshotInfo info = Take();
  Replace(std::string(SIGHTLINE_TEST_DATA) + "/snapshot_v1", Stream(info.name));
  std::string newer =
      absl::StrCat("SLSNAP\r\n", std::string(1, '\2'), "fields that only a later version knows", "crc.");
  SealManifest(&newer);
  Replace(std::string(SIGHTLINE_TEST_DATA) + "/snapshot_manifest_v2", newer);
  std::cout << "sha256 " << info.sha256 << "\n";
}

}  // namespace
}  // namespace sightline::index
