// Snapshots within one data directory: taking, listing, deleting and restoring them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "index/store/snapshot_manifest.h"
#include "tests/index/snapshot_fixture.h"

namespace sightline::index {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(SnapshotTest, RestoresWhatWasThereWhenItWasTaken) {
  Start();
  Fill(60);
  const auto contents = Contents(*collection_);
  const CollectionStats stats = collection_->Stats();
  const std::vector<float> query = RandomVector(random_, 8);
  const std::vector<Hit> hits = Search(query, 20);
  const SnapshotInfo info = Take();
  EXPECT_EQ(info.name, "snapshots/1");
  EXPECT_EQ(info.collection, "shop");
  EXPECT_EQ(info.sequence, stats.sequence);
  EXPECT_EQ(info.images, stats.images);
  EXPECT_GT(info.size_bytes, 0);
  EXPECT_EQ(info.sha256.size(), 64u);
  EXPECT_EQ(info.create_time, clock_.Now());
  ExpectTidy();

  // What comes later is not in it.
  Fill(80);
  const auto later = Contents(*collection_);
  auto copy = database_->RestoreSnapshot(info.name, "copy", nullptr);
  ASSERT_TRUE(copy.ok()) << copy.status();
  ExpectTidy();
  EXPECT_EQ((*copy)->config().name, "copy");
  EXPECT_EQ((*copy)->config().embedding_space, config_.embedding_space);
  EXPECT_EQ((*copy)->Stats().sequence, stats.sequence);
  EXPECT_EQ(Contents(**copy), contents);
  EXPECT_EQ(Contents(*collection_), later);

  // The two share files, and nothing else.
  ASSERT_TRUE((*copy)->Put({RandomRecord("only in the copy"), ""}).ok());
  EXPECT_EQ(Contents(*collection_), later);
  const auto changed = Contents(**copy);
  EXPECT_EQ(changed.size(), contents.size() + 1);

  copy->reset();
  Restart();
  const auto reopened = database_->Find("copy");
  ASSERT_TRUE(reopened.ok()) << reopened.status();
  EXPECT_EQ(Contents(**reopened), changed);
  EXPECT_EQ(Contents(*collection_), later);
  ASSERT_TRUE((*reopened)->Delete({{"only in the copy"}}).ok());
  collection_ = *reopened;
  const std::vector<Hit> hits_now = Search(query, 20);
  ASSERT_EQ(hits_now.size(), hits.size());
  for (size_t i = 0; i < hits.size(); ++i) {
    EXPECT_EQ(hits_now[i].id, hits[i].id);
    EXPECT_EQ(hits_now[i].score, hits[i].score);
  }
}

TEST_F(SnapshotTest, ALogTooLongToCopyAndOneOverSeveralFilesAreRestored) {
  Start();
  // Beyond the 32 MiB of log that are copied; memory is written to tables on the way.
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 20; ++i) {
      Record record = RandomRecord(absl::StrCat(round, "-", i));
      record.image = std::string((1 << 20) + random_() % 1000, static_cast<char>('a' + i));
      ASSERT_TRUE(collection_->Put({std::move(record), ""}).ok());
    }
    const auto contents = Contents(*collection_);
    const SnapshotInfo info = Take();
    EXPECT_EQ(info.images, 20 * (round + 1));
    auto copy = database_->RestoreSnapshot(info.name, absl::StrCat("copy", round), nullptr);
    ASSERT_TRUE(copy.ok()) << copy.status();
    EXPECT_EQ(Contents(**copy), contents);
    PutRandom(absl::StrCat("between", round));
    ASSERT_TRUE(collection_->Delete({{absl::StrCat("between", round)}}).ok());
  }
}

TEST_F(SnapshotTest, AnEmptyCollectionIsRestoredEmpty) {
  Start();
  const SnapshotInfo info = Take();
  EXPECT_EQ(info.images, 0);
  EXPECT_EQ(info.sequence, 0);
  auto copy = database_->RestoreSnapshot(info.name, "copy", nullptr);
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_EQ((*copy)->Stats().images, 0);
}

TEST_F(SnapshotTest, SharesWhatNeverChangesAndTakesSegmentFilesAlong) {
  Start();
  Fill(20);
  // An orderly stop writes tables.
  Restart();
  const std::string folder = Entries(Area("collections")).at(0);
  const std::string segments = absl::StrCat(Area("collections"), "/", folder, "/segments");
  ASSERT_TRUE(base::CreateFolders(segments).ok());
  Replace(segments + "/0001.seg", "codes");
  Replace(segments + "/0002.seg.tmp", "half");
  Replace(segments + "/0003.seg.damaged", "set aside");
  Replace(segments + "/.hidden", "nothing");
  const SnapshotInfo info = Take();
  const std::string snapshot = Area(info.name);
  // Beside what the stop has sealed.
  const std::vector<std::string> taken = Entries(snapshot + "/segments");
  EXPECT_THAT(taken, Contains("0001.seg"));
  EXPECT_THAT(taken, Not(Contains("0002.seg.tmp")));
  EXPECT_THAT(taken, Not(Contains("0003.seg.damaged")));
  EXPECT_THAT(taken, Not(Contains(".hidden")));
  EXPECT_EQ(Bytes(snapshot + "/segments/0001.seg"), "codes");
  EXPECT_EQ(fs::hard_link_count(snapshot + "/segments/0001.seg"), 2u);
  int tables = 0;
  for (const std::string& name : Entries(snapshot)) {
    if (absl::EndsWith(name, ".sst")) {
      ++tables;
      EXPECT_EQ(fs::hard_link_count(absl::StrCat(snapshot, "/", name)), 2u) << name;
    } else if (name != "segments") {
      EXPECT_TRUE(name == "SNAPSHOT" || IsSnapshotPath(name)) << name;
      if (!IsImmutableSnapshotPath(name)) {
        EXPECT_EQ(fs::hard_link_count(absl::StrCat(snapshot, "/", name)), 1u) << name;
      }
    }
  }
  EXPECT_GT(tables, 0);
  ASSERT_TRUE(database_->RestoreSnapshot(info.name, "copy", nullptr).ok());
}

TEST_F(SnapshotTest, SealedSegmentsAreRestoredAsTheyAreAndNotBuiltAgain) {
  options_.segments.chunk_rows = 64;
  options_.segments.segment_rows = 256;
  options_.segments.background = false;
  config_.index_kind = IndexKind::kHnsw;
  Start();
  for (int i = 0; i < 600; ++i) {
    ASSERT_TRUE(collection_->Put(MakeWrite(absl::StrCat("r", i), RandomVector(random_, 8))).ok());
  }
  ASSERT_TRUE(collection_->Optimize({}, nullptr).ok());
  const std::string from = absl::StrCat(Area("collections"), "/", Entries(Area("collections")).at(0), "/segments");
  const std::vector<std::string> sealed = Entries(from);
  ASSERT_FALSE(sealed.empty());
  const std::vector<float> query = RandomVector(random_, 8);
  const std::vector<Hit> hits = Search(query, 20);
  const SnapshotInfo info = Take();
  EXPECT_EQ(Entries(Area(info.name) + "/segments"), sealed);
  const auto copy = database_->RestoreSnapshot(info.name, "a-copy", nullptr);
  ASSERT_TRUE(copy.ok()) << copy.status();
  const std::string to = absl::StrCat(Area("collections"), "/", Entries(Area("collections")).at(0), "/segments");
  ASSERT_NE(to, from);
  EXPECT_EQ(Entries(to), sealed);
  for (const std::string& file : sealed) EXPECT_EQ(fs::hard_link_count(absl::StrCat(to, "/", file)), 3u) << file;
  EXPECT_EQ((*copy)->Stats().index_choice, collection_->Stats().index_choice);
  collection_ = *copy;
  const std::vector<Hit> hits_now = Search(query, 20);
  ASSERT_EQ(hits_now.size(), hits.size());
  for (size_t i = 0; i < hits.size(); ++i) EXPECT_EQ(hits_now[i].id, hits[i].id);
}

TEST_F(SnapshotTest, DamageInAnyFileIsNamedAndNothingIsRestored) {
  Start();
  Fill(30);
  Restart();
  Fill(30);
  const SnapshotInfo info = Take();
  const std::string folder = Area(info.name);
  const auto collections = Entries(Area("collections"));
  const auto expect_named = [&](const std::string& file) {
    const absl::Status status = database_->RestoreSnapshot(info.name, "copy", nullptr).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_EQ(Fact(status, "file"), file);
    EXPECT_THAT(std::string(status.message()), HasSubstr(file));
    EXPECT_EQ(Entries(Area("collections")), collections);
    ExpectTidy();
  };
  std::vector<std::string> files = Entries(folder);
  ASSERT_EQ(std::erase(files, "segments"), 1u);
  for (const std::string& name : Entries(folder + "/segments")) files.push_back("segments/" + name);
  for (const std::string& file : files) {
    SCOPED_TRACE(file);
    const std::string path = absl::StrCat(folder, "/", file);
    const std::string bytes = Bytes(path);
    ASSERT_FALSE(bytes.empty());
    std::string flipped = bytes;
    flipped[random_() % bytes.size()] ^= static_cast<char>(1 << random_() % 8);
    Replace(path, flipped);
    expect_named(file);
    Replace(path, bytes.substr(0, bytes.size() - 1));
    expect_named(file);
    Replace(path, bytes + "x");
    expect_named(file);
    fs::remove(path);
    expect_named(file);
    Replace(path, bytes);
  }
  EXPECT_TRUE(database_->RestoreSnapshot(info.name, "copy", nullptr).ok());
}

TEST_F(SnapshotTest, ADamagedManifestIsFoundAtEveryByte) {
  Start();
  PutRandom("a");
  const SnapshotInfo good = Take();
  const SnapshotInfo bad = Take();
  const std::string path = absl::StrCat(Area(bad.name), "/SNAPSHOT");
  const std::string bytes = Bytes(path);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string flipped = bytes;
    flipped[i] ^= static_cast<char>(1 << random_() % 8);
    Replace(path, flipped);
    const auto listed = database_->ListSnapshots("");
    ASSERT_TRUE(listed.ok());
    ASSERT_EQ(listed->size(), 1u) << "byte " << i;
    EXPECT_EQ(listed->front().name, good.name);
    EXPECT_EQ(database_->ReadSnapshot(bad.name).status().code(), absl::StatusCode::kDataLoss);
  }
  // What cannot be used can still be deleted.
  EXPECT_TRUE(database_->DeleteSnapshot(bad.name).ok());
  EXPECT_FALSE(fs::exists(Area(bad.name)));
}

TEST_F(SnapshotTest, ASnapshotOfANewerFormatIsRefusedInWordsAndLeftAlone) {
  Start();
  const SnapshotInfo info = Take();
  const std::string path = absl::StrCat(Area(info.name), "/SNAPSHOT");
  Replace(path, Bytes(std::string(SIGHTLINE_TEST_DATA) + "/snapshot_manifest_v2"));
  const auto before = Entries(Area(info.name));
  const absl::Status status = database_->RestoreSnapshot(info.name, "copy", nullptr).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_EQ(Reason(status), "FORMAT_UNKNOWN");
  EXPECT_THAT(std::string(status.message()), HasSubstr("a later one"));
  EXPECT_EQ(Reason(database_->ReadSnapshot(info.name).status()), "FORMAT_UNKNOWN");
  EXPECT_TRUE(database_->ListSnapshots("")->empty());
  EXPECT_EQ(Entries(Area(info.name)), before);
  EXPECT_EQ(database_->List().size(), 1u);
}

TEST_F(SnapshotTest, NumbersAreNeverUsedTwice) {
  Start();
  EXPECT_EQ(Take().name, "snapshots/1");
  EXPECT_EQ(Take().name, "snapshots/2");
  ASSERT_TRUE(database_->DeleteSnapshot("snapshots/2").ok());
  EXPECT_EQ(Take().name, "snapshots/3");
  ASSERT_TRUE(database_->DeleteSnapshot("snapshots/3").ok());
  Restart();
  EXPECT_EQ(Take().name, "snapshots/4");
  ASSERT_TRUE(database_->DeleteSnapshot("snapshots/1").ok());
  ASSERT_TRUE(database_->DeleteSnapshot("snapshots/4").ok());
  EXPECT_TRUE(database_->ListSnapshots("")->empty());
  EXPECT_EQ(Take().name, "snapshots/5");
  // A lost or damaged note of the last number falls back on the snapshots there are.
  Replace(Area("snapshots/LAST"), "five");
  EXPECT_EQ(Take().name, "snapshots/6");
  fs::remove(Area("snapshots/LAST"));
  EXPECT_EQ(Take().name, "snapshots/7");
}

TEST_F(SnapshotTest, ListsNewestFirstAndByCollection) {
  Start();
  config_.name = "art";
  ASSERT_TRUE(database_->Create(config_).ok());
  for (const char* name : {"shop", "art", "shop"}) Take(name);
  // What else lies there is not a snapshot.
  ASSERT_TRUE(base::CreateFolders(Area("snapshots/010")).ok());
  ASSERT_TRUE(base::CreateFolders(Area("snapshots/x")).ok());
  const auto names = [&](const std::string& collection) {
    std::vector<std::string> found;
    const auto listed = database_->ListSnapshots(collection);
    EXPECT_TRUE(listed.ok()) << listed.status();
    for (const SnapshotInfo& info : *listed) found.push_back(absl::StrCat(info.name, " ", info.collection));
    return found;
  };
  EXPECT_EQ(names(""), (std::vector<std::string>{"snapshots/3 shop", "snapshots/2 art", "snapshots/1 shop"}));
  EXPECT_EQ(names("art"), std::vector<std::string>{"snapshots/2 art"});
  EXPECT_TRUE(names("nobody").empty());
}

TEST_F(SnapshotTest, OutlivesItsCollectionAndCanTakeItsPlace) {
  Start();
  Fill(20);
  const auto contents = Contents(*collection_);
  const SnapshotInfo info = Take();
  ASSERT_TRUE(database_->Delete("shop").ok());
  database_.reset();
  Open();
  ASSERT_EQ(database_->ListSnapshots("shop")->size(), 1u);
  auto restored = database_->RestoreSnapshot(info.name, "shop", nullptr);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(Contents(**restored), contents);
  EXPECT_EQ(collection_->Stats().images, 0);  // the deleted one
}

TEST_F(SnapshotTest, RefusesWhatItCannotDo) {
  Start();
  const SnapshotInfo info = Take();
  EXPECT_EQ(Reason(database_->CreateSnapshot("nobody", nullptr).status()), "COLLECTION_NOT_FOUND");
  EXPECT_EQ(Reason(database_->RestoreSnapshot(info.name, "shop", nullptr).status()), "COLLECTION_EXISTS");
  EXPECT_EQ(Reason(database_->RestoreSnapshot(info.name, "../shop", nullptr).status()), "COLLECTION_NAME_INVALID");
  EXPECT_EQ(Reason(database_->RestoreSnapshot("snapshots/9", "copy", nullptr).status()), "SNAPSHOT_NOT_FOUND");
  EXPECT_EQ(Reason(database_->ReadSnapshot("snapshots/9").status()), "SNAPSHOT_NOT_FOUND");
  EXPECT_EQ(Reason(database_->DeleteSnapshot("snapshots/9")), "SNAPSHOT_NOT_FOUND");
  for (const char* name : {"", "1", "snapshots/", "snapshots/0", "snapshots/01", "snapshots/+1", "snapshots/1 ",
                           "snapshots/-1", "snapshots/1/..", "snapshots/../collections", "snapshots/LAST",
                           "snapshots/99999999999999999999", "/snapshots/1"}) {
    EXPECT_EQ(Reason(database_->DeleteSnapshot(name)), "SNAPSHOT_NAME_INVALID") << name;
    EXPECT_EQ(Reason(database_->ReadSnapshot(name).status()), "SNAPSHOT_NAME_INVALID") << name;
    EXPECT_EQ(Reason(database_->RestoreSnapshot(name, "copy", nullptr).status()), "SNAPSHOT_NAME_INVALID") << name;
  }
  // The name of a restore that failed is free again.
  EXPECT_TRUE(database_->RestoreSnapshot(info.name, "copy", nullptr).ok());
  EXPECT_TRUE(database_->DeleteSnapshot(info.name).ok());
  EXPECT_EQ(Reason(database_->DeleteSnapshot(info.name)), "SNAPSHOT_NOT_FOUND");
}

TEST_F(SnapshotTest, ReportsProgressAndCanBeCancelled) {
  Start();
  Fill(40);
  int64_t last = 0;
  int64_t whole = 0;
  int calls = 0;
  const Progress follow = [&](int64_t done, int64_t total) {
    EXPECT_GE(done, last);
    EXPECT_LE(done, total);
    last = done;
    whole = total;
    ++calls;
    return true;
  };
  const auto info = database_->CreateSnapshot("shop", follow);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_GT(calls, 1);
  EXPECT_EQ(last, whole);
  const int of_creation = calls;
  last = 0;
  ASSERT_TRUE(database_->RestoreSnapshot(info->name, "copy", follow).ok());
  EXPECT_EQ(last, whole);
  const int of_restoring = calls - of_creation;

  const auto listed = database_->ListSnapshots("")->size();
  for (int stop_at = 1; stop_at <= std::max(of_creation, of_restoring); ++stop_at) {
    int left = stop_at;
    const Progress stop = [&](int64_t, int64_t) { return --left > 0; };
    if (stop_at <= of_creation) {
      EXPECT_EQ(database_->CreateSnapshot("shop", stop).status().code(), absl::StatusCode::kCancelled) << stop_at;
    }
    left = stop_at;
    if (stop_at <= of_restoring) {
      const absl::Status status = database_->RestoreSnapshot(info->name, "other", stop).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << stop_at;
    }
    ExpectTidy();
  }
  EXPECT_EQ(database_->ListSnapshots("")->size(), listed);
  EXPECT_EQ(database_->List().size(), 2u);
}

TEST_F(SnapshotTest, WhatWasHalfMadeIsGoneAtTheNextStart) {
  Start();
  const SnapshotInfo info = Take();
  ASSERT_TRUE(base::CreateFolders(Area("staging/snapshot.12/content/segments")).ok());
  Replace(Area("staging/snapshot.12/content/000001.sst"), "half");
  ASSERT_TRUE(base::CreateFolders(Area("trash/snapshot.34")).ok());
  Restart();
  ExpectTidy();
  EXPECT_EQ(database_->ListSnapshots("")->size(), 1u);
  EXPECT_TRUE(database_->RestoreSnapshot(info.name, "copy", nullptr).ok());
}

TEST_F(SnapshotTest, DeletingOneEndsWhatReadsIt) {
  Start();
  Fill(20);
  const SnapshotInfo info = Take();
  auto reader = database_->ReadSnapshot(info.name);
  ASSERT_TRUE(reader.ok());
  const auto delete_it = [&](int64_t, int64_t) {
    const absl::Status status = database_->DeleteSnapshot(info.name);
    EXPECT_TRUE(status.ok() || absl::IsNotFound(status)) << status;
    return true;
  };
  const absl::Status restored = database_->RestoreSnapshot(info.name, "copy", delete_it).status();
  EXPECT_EQ(Reason(restored), "SNAPSHOT_NOT_FOUND") << restored;
  EXPECT_EQ(Reason((*reader)->Read((*reader)->size() - 1, 1).status()), "SNAPSHOT_NOT_FOUND");
  ExpectTidy();
}

}  // namespace
}  // namespace sightline::index
