#include "server/services/server_service.h"

#include "absl/strings/str_cat.h"
#include "server/convert.h"

namespace sightline::server {
namespace {

void ToProto(const IndexCard& card, v1::GetServerInfoResponse* reply) {
  if (card.rows == nullptr && card.why_not.empty()) return;
  auto& message = *reply->mutable_index_card();
  message.set_why_none(card.why_not);
  if (card.rows == nullptr) return;
  message.set_device(CardName(*card.rows->card()));
  message.set_name(card.rows->card()->name());
  message.set_inverted_lists(card.lists != nullptr);
  message.set_rerank(card.transport != nullptr);
  message.set_lost(card.rows->card()->lost());
  if (!message.lost()) return;
  reply->add_warnings(absl::StrCat("the index has lost its card ", message.device(),
                                   ", and the CPU does its work: look at the log, and start the server again."));
}

}  // namespace

void ServerService::GetServerInfo(const CallInfo& call, v1::GetServerInfoResponse* reply) const {
  const ServerFacts& facts = context_.facts;
  reply->set_version(facts.version);
  reply->set_commit(facts.commit);
  ToProto(facts.start_time, reply->mutable_start_time());
  reply->set_simd_level(facts.simd_level);
  reply->set_blas(facts.blas);
  for (const std::string& device : context_.models.devices()) reply->add_devices(device);
  ToProto(context_.limits, reply->mutable_limits());
  reply->set_cpu_capability(facts.cpu_capability);
  reply->set_decode_isolation(facts.decodes_apart ? v1::GetServerInfoResponse::DECODE_ISOLATION_PROCESS
                                                  : v1::GetServerInfoResponse::DECODE_ISOLATION_NONE);
  ToProto(context_.card, reply);
  for (const ModelPtr& model : context_.models.List()) ToProto(*model, reply->add_models());
  reply->set_default_model(context_.models.default_model());
  for (const std::string& warning : WarningsOf(facts, context_.models)) reply->add_warnings(warning);
  if (const std::string aside = context_.database.aliases_set_aside(); !aside.empty()) {
    reply->add_warnings(
        absl::StrCat("the file of the aliases was damaged and is now ", aside, ": set the aliases again."));
  }
  for (const index::DamagedCollection& damaged : context_.database.damaged()) {
    if (!CoversCollection(context_.database, call, damaged.name)) continue;
    reply->add_warnings(
        absl::StrCat("the collection '", damaged.name, "' is ",
                     damaged.readable ? "damaged, and what is left of it is open for reading: " : "set aside: ",
                     std::string(damaged.status.message())));
  }
}

}  // namespace sightline::server
