// UpdateCollection over the wire: what can be changed, what is refused by name, and a restart.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tests/e2e/server_fixture.h"

namespace sightline::testing {
namespace {

using ::testing::HasSubstr;
using Settings = v1::CollectionSettings;

v1::UpdateCollectionRequest Change(const std::string& name, const std::vector<std::string>& paths) {
  v1::UpdateCollectionRequest request;
  request.set_name(name);
  for (const std::string& path : paths) request.mutable_update_mask()->add_paths(path);
  return request;
}

class SettingsTest : public ServerFixture {
 protected:
  static std::string Reason(const absl::Status& status) { return base::GetErrorInfo(status).reason; }
};

TEST_F(SettingsTest, ChangesWhatTheMaskNames) {
  v1::UpdateCollectionRequest request = Change("v", {"description", "index_kind"});
  request.mutable_settings()->set_description("spring");
  request.mutable_settings()->set_index_kind(Settings::INDEX_KIND_HNSW);
  request.mutable_settings()->set_keep_image(Settings::KEEP_IMAGE_NONE);  // not in the mask
  const auto changed = client_->UpdateCollection(request);
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_EQ(changed->settings().description(), "spring");
  EXPECT_EQ(changed->settings().index_kind(), Settings::INDEX_KIND_HNSW);
  EXPECT_EQ(changed->settings().keep_image(), Settings::KEEP_IMAGE_PREVIEW);
  EXPECT_THAT(changed->stats().index_choice(), HasSubstr("hnsw"));
  EXPECT_EQ(client_->GetCollection("v")->settings().description(), "spring");
  EXPECT_EQ(client_->Search(NewSearch({1, 0, 0, 0}))->results(0).id(), "a");

  // By an alias, and with the prefix of the resource's own field.
  ASSERT_TRUE(client_->SetAlias("live", "v").ok());
  request = Change("live", {"settings.keep_image"});
  request.mutable_settings()->set_keep_image(Settings::KEEP_IMAGE_ORIGINAL);
  EXPECT_EQ(client_->UpdateCollection(request)->settings().keep_image(), Settings::KEEP_IMAGE_ORIGINAL);
  ASSERT_TRUE(client_->DeleteAlias("live").ok());

  // "*": what was read can be sent back changed; what it leaves out takes its default.
  request = Change("v", {"*"});
  *request.mutable_settings() = client_->GetCollection("v")->settings();
  request.mutable_settings()->set_description("summer");
  request.mutable_settings()->set_index_kind(Settings::INDEX_KIND_AUTO);
  const auto all = client_->UpdateCollection(request);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->settings().description(), "summer");
  EXPECT_EQ(all->settings().index_kind(), Settings::INDEX_KIND_AUTO);
  EXPECT_EQ(all->settings().keep_image(), Settings::KEEP_IMAGE_ORIGINAL);
  EXPECT_EQ(all->settings().device(), Settings::DEVICE_AUTO);
  request.mutable_settings()->set_hnsw_m(7);
  EXPECT_EQ(Reason(client_->UpdateCollection(request).status()), "SETTING_FIXED");
}

TEST_F(SettingsTest, RefusesByName) {
  for (const auto& [path, reason] :
       std::vector<std::pair<std::string, std::string>>{{"descriptor_precision", "SETTING_FIXED"},
                                                        {"hnsw_m", "SETTING_FIXED"},
                                                        {"hnsw_ef_construction", "SETTING_FIXED"},
                                                        {"settings.ivf_lists", "SETTING_FIXED"},
                                                        {"model", "UPDATE_MASK_UNKNOWN"},
                                                        {"name", "UPDATE_MASK_UNKNOWN"},
                                                        {"settings", "UPDATE_MASK_UNKNOWN"},
                                                        {"settings.*", "UPDATE_MASK_UNKNOWN"},
                                                        {"Description", "UPDATE_MASK_UNKNOWN"},
                                                        {"", "UPDATE_MASK_UNKNOWN"},
                                                        {"a\nb", "UPDATE_MASK_UNKNOWN"},
                                                        {std::string(100'000, 'x'), "UPDATE_MASK_UNKNOWN"}}) {
    const absl::Status refused = client_->UpdateCollection(Change("v", {"description", path})).status();
    EXPECT_EQ(Reason(refused), reason) << path.substr(0, 32);
    EXPECT_LT(refused.message().size(), 400u);
    if (reason == "SETTING_FIXED") {
      EXPECT_THAT(std::string(refused.message()), HasSubstr(path.substr(path.find('.') + 1)));
    }
  }
  const auto before = client_->GetCollection("v")->settings();
  EXPECT_EQ(Reason(client_->UpdateCollection(Change("v", {})).status()), "UPDATE_MASK_MISSING");
  EXPECT_EQ(Reason(client_->UpdateCollection(Change("", {"*"})).status()), "FIELD_MISSING");
  EXPECT_EQ(Reason(client_->UpdateCollection(Change("nowhere", {"*"})).status()), "COLLECTION_NOT_FOUND");
  v1::UpdateCollectionRequest request = Change("v", {"description"});
  request.mutable_settings()->set_description(std::string(1025, 'd'));
  EXPECT_EQ(Reason(client_->UpdateCollection(request).status()), "DESCRIPTION_TOO_LONG");
  request = Change("v", {"index_kind"});
  request.mutable_settings()->set_index_kind(static_cast<Settings::IndexKind>(77));
  EXPECT_EQ(Reason(client_->UpdateCollection(request).status()), "ENUM_VALUE_UNKNOWN");
  request = Change("v", {"device"});
  request.mutable_settings()->set_device(static_cast<Settings::Device>(77));
  EXPECT_EQ(Reason(client_->UpdateCollection(request).status()), "ENUM_VALUE_UNKNOWN");
  EXPECT_EQ(client_->GetCollection("v")->settings().SerializeAsString(), before.SerializeAsString());
}

// Tokens on and off: a collection that was created to keep none keeps them from then on.
TEST(SettingsRestartTest, TokensAndEverythingElseStayOverAKill) {
  TempFolder folder;
  auto server = *ServerProcess::Start({.folder = folder.path()});
  {
    const auto client = *client::Client::Connect({.address = server->address()});
    v1::CreateCollectionRequest create = NewCollection("v");
    create.mutable_settings()->set_drop_tokens(true);
    ASSERT_TRUE(client->CreateCollection(create).ok());
    EXPECT_EQ(client->GetCollection("v")->token_space(), "");
    v1::UpdateCollectionRequest request =
        Change("v", {"drop_tokens", "description", "device", "index_kind", "keep_image"});
    request.mutable_settings()->set_description("d");
    request.mutable_settings()->set_device(Settings::DEVICE_CPU);
    request.mutable_settings()->set_index_kind(Settings::INDEX_KIND_IVF);
    request.mutable_settings()->set_keep_image(Settings::KEEP_IMAGE_NONE);
    const auto changed = client->UpdateCollection(request);
    ASSERT_TRUE(changed.ok()) << changed.status();
    EXPECT_EQ(changed->token_space(), "space");
    EXPECT_FALSE(changed->settings().drop_tokens());
  }
  server->Kill();
  server = *ServerProcess::Start({.folder = folder.path()});
  const auto client = *client::Client::Connect({.address = server->address()});
  const auto after = client->GetCollection("v");
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(after->token_space(), "space");
  EXPECT_FALSE(after->settings().drop_tokens());
  EXPECT_EQ(after->settings().description(), "d");
  EXPECT_EQ(after->settings().device(), Settings::DEVICE_CPU);
  EXPECT_EQ(after->settings().index_kind(), Settings::INDEX_KIND_IVF);
  EXPECT_EQ(after->settings().keep_image(), Settings::KEEP_IMAGE_NONE);
  EXPECT_EQ(server->Terminate(), 0) << server->Log();
}

}  // namespace
}  // namespace sightline::testing
