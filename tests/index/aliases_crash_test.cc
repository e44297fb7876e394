// A crash at any step of setting, moving and deleting an alias, or its collection, leaves the state before or after.
// In a program of its own: see run_apart.h.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>

#include "tests/index/index_fixture.h"
#include "tests/index/run_apart.h"

namespace sightline::index {
namespace {

class AliasesCrashTest : public IndexTest {
 protected:
  // What stands behind "live": a collection's name, or nothing.
  std::string Live() const {
    const auto found = database_->Find("live");
    return found.ok() ? (*found)->config().name : "";
  }
  // "shop" and "shop-2", and where `live` is not empty an alias for it.
  bool Prepare(const std::string& live) {
    Start();
    CollectionConfig second = config_;
    second.name = "shop-2";
    collection_.reset();
    return database_->Create(second).ok() && (live.empty() || database_->SetAlias("live", live).ok());
  }
};

TEST_F(AliasesCrashTest, AtAnyStepItIsTheOneOrTheOther) {
  const auto set = [this] { return database_->SetAlias("live", "shop").ok(); };
  const auto move = [this] { return database_->SetAlias("live", "shop-2").ok(); };
  const auto remove = [this] { return database_->DeleteAlias("live").ok(); };
  const auto end = [this] { return database_->Delete("shop").ok(); };
  struct Step {
    const char* point;
    const char* before;  // what "live" stands for
    std::function<bool()> change;
    const char* after;
    size_t collections;
  };
  for (const Step& step :
       {Step{"alias.before_write", "", set, "", 2}, Step{"alias.after_write", "", set, "shop", 2},
        Step{"alias.before_write", "shop", move, "shop", 2}, Step{"alias.after_write", "shop", move, "shop-2", 2},
        Step{"alias.before_write", "shop", remove, "shop", 2}, Step{"alias.after_write", "shop", remove, "", 2},
        Step{"delete.before_rename", "shop", end, "shop", 2}, Step{"delete.after_rename", "shop", end, "", 1},
        Step{"delete.after_sync", "shop", end, "", 1}}) {
    SCOPED_TRACE(::testing::Message() << step.point << " from '" << step.before << "' to '" << step.after << "'");
    std::filesystem::remove_all(options_.directory);
    ASSERT_EQ(RunApart("",
                       [&] {
                         const bool well = Prepare(step.before);
                         database_.reset();
                         return well;
                       }),
              0);
    EXPECT_EQ(RunApart(step.point,
                       [&] {
                         Open();
                         return step.change();
                       }),
              -SIGKILL)
        << "the point was not passed";
    EXPECT_EQ(RunApart("",
                       [&] {
                         Open();
                         const bool well = Live() == step.after && database_->List().size() == step.collections;
                         if (!well) std::printf("'%s', %zu\n", Live().c_str(), database_->List().size());
                         // And it goes on from there; nothing of the old alias comes back by a new collection.
                         if (step.collections == 1 && !(database_->Create(config_).ok() && Live().empty()))
                           return false;
                         return well && database_->SetAlias("live", "shop-2").ok() && Live() == "shop-2";
                       }),
              0);
  }
}

// The same of settings, which are one value.
TEST_F(AliasesCrashTest, SettingsAreTheOldOrTheNew) {
  for (const auto& [point, expected] :
       {std::pair("settings.before_write", "old"), std::pair("settings.after_write", "new")}) {
    SCOPED_TRACE(point);
    std::filesystem::remove_all(options_.directory);
    EXPECT_EQ(
        RunApart(point,
                 [&] {
                   config_.description = "old";
                   Start();
                   return collection_->ChangeSettings({.index_kind = IndexKind::kHnsw, .description = "new"}).ok();
                 }),
        -SIGKILL);
    EXPECT_EQ(RunApart("",
                       [&] {
                         Open();
                         const CollectionConfig config = (*database_->Find("shop"))->config();
                         return config.description == expected &&
                                (config.index_kind == IndexKind::kHnsw) == (config.description == "new");
                       }),
              0);
  }
}

}  // namespace
}  // namespace sightline::index
