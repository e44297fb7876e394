"""Writes checkpoints as programs in the wild do, and what their networks give.

Usage: make_checkpoints.py FOLDER. For every case it writes CASE.pth, CASE.json (model.json, and what the import must say) and
CASE.safetensors (image, and the descriptor of the network of torchvision that the weights are of). Exits 77 when torch or
torchvision is missing.
"""

import collections
import json
import os
import sys

try:
    import numpy
    import torch
    import torchvision
except ImportError:
    print("python3-torch or python3-torchvision is not installed")
    sys.exit(77)

import safetensors_file

SEED = 31


def randomise(module):
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif name.endswith("num_batches_tracked"):
            pass
        elif tensor.dtype.is_floating_point and tensor.dim() == 1 and name.endswith("weight"):
            tensor.uniform_(0.5, 1.5)
        elif tensor.dtype.is_floating_point and tensor.dim() == 1:
            tensor.uniform_(-0.3, 0.3)
        elif tensor.dtype.is_floating_point and tensor.dim() < 4 and "position" not in name and "token" not in name:
            tensor.normal_(0, tensor.shape[-1] ** -0.5)
        elif tensor.dtype.is_floating_point:
            tensor.normal_(0, (tensor.numel() / tensor.shape[0]) ** -0.5)
    return module.eval()


def small_resnet():
    return randomise(torchvision.models.resnet.ResNet(torchvision.models.resnet.BasicBlock, [1, 1, 1, 1]))


def resnet_map(net, image):
    x = net.maxpool(net.relu(net.bn1(net.conv1(image))))
    return net.layer4(net.layer3(net.layer2(net.layer1(x))))


def small_vit():
    return randomise(
        torchvision.models.VisionTransformer(
            image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=32, mlp_dim=128, num_classes=5
        )
    )


def vit_cls(net, image):
    x = net._process_input(image)
    return net.encoder(torch.cat([net.class_token.expand(x.shape[0], -1, -1), x], dim=1))[:, 0]


def small_swin():
    return randomise(
        torchvision.models.SwinTransformer(
            patch_size=[4, 4], embed_dim=24, depths=[2, 2], num_heads=[2, 4], window_size=[7, 7], num_classes=5
        )
    )


RESNET = {"type": "resnet", "block": "basic", "blocks": [1, 1, 1, 1]}
VIT = {"type": "vit", "dim": 32, "depth": 2, "heads": 2, "mlp_ratio": 4, "grid": 4, "patch": 8}
SWIN = {"type": "swin", "patch": 4, "dim": 24, "depths": [2, 2], "heads": [2, 4], "window": 7, "mlp_ratio": 4}


def timm_names(state):
    """The names timm has for a ViT of torchvision."""
    renamed = collections.OrderedDict()
    for name, tensor in state.items():
        for old, new in (
            ("encoder.layers.encoder_layer_", "blocks."), (".ln_1.", ".norm1."), (".ln_2.", ".norm2."),
            (".self_attention.in_proj_", ".attn.qkv."), (".self_attention.out_proj.", ".attn.proj."),
            (".mlp.0.", ".mlp.fc1."), (".mlp.3.", ".mlp.fc2."), ("encoder.ln.", "norm."),
            ("encoder.pos_embedding", "pos_embed"), ("class_token", "cls_token"),
            ("conv_proj.", "patch_embed.proj."), ("heads.head.", "head."),
        ):  # fmt: skip
            name = name.replace(old, new)
        renamed[name] = tensor
    return renamed


def cirtorch_names(net, exponent, whiten):
    places = {"conv1": "0", "bn1": "1", "layer1": "4", "layer2": "5", "layer3": "6", "layer4": "7"}
    renamed = collections.OrderedDict()
    for name, tensor in net.state_dict().items():
        first, rest = name.split(".", 1)
        if first in places:
            renamed[f"features.{places[first]}.{rest}"] = tensor
    renamed["pool.p"] = exponent
    renamed["whiten.weight"], renamed["whiten.bias"] = whiten.weight.data, whiten.bias.data
    return renamed


class Writer:
    def __init__(self, folder):
        self.folder = folder

    def write(self, name, backbone, head, image, descriptor, content, expect, legacy=False, **options):
        path = os.path.join(self.folder, name)
        torch.save(content, path + ".pth", _use_new_zipfile_serialization=not legacy)
        model = {
            "format": 1, "name": name, "provenance": "a test", "backbone": backbone, "head": head,
            "preprocess": {
                "version": 1, "mode": "squash", "image_size": image.shape[-1], "size_multiple": image.shape[-1],
                "filter": "bicubic", "mean": [0.5] * 3, "std": [0.5] * 3, "aspect_ratios": [], "scales": [1],
            },
            "tokens": {"dim": 8, "projection": {"type": "orthonormal", "seed": 1}, "importance": "centre"},
        }  # fmt: skip
        with open(path + ".json", "w") as file:
            json.dump({"model": model, "expect": expect, "options": options}, file)
        descriptor = torch.nn.functional.normalize(descriptor.detach().float(), dim=1)
        safetensors_file.write(path + ".safetensors", {"image": image, "descriptor": descriptor})


@torch.no_grad()
def main(folder):
    torch.manual_seed(SEED)
    print("seed", SEED)
    writer = Writer(folder)
    image = torch.randn(1, 3, 64, 64)

    # A DataParallel training checkpoint of a classifier, in the older format.
    net = small_resnet()
    state = collections.OrderedDict(("module." + name, tensor) for name, tensor in net.state_dict().items())
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9).state_dict()
    content = {"epoch": 3, "state_dict": state, "optimizer": optimizer, "best": numpy.float64(0.5), "lr": 1e-3}
    expected = resnet_map(net, image).mean((2, 3))
    expect = {"wrapper": "state_dict", "format": "PyTorch legacy", "prefix": "module."}
    writer.write("dataparallel", RESNET, {"type": "gap"}, image, expected, content, expect, legacy=True)

    # cirtorch: a list of layers, GeM, whitening, and what the file says about itself.
    exponent, whiten = torch.tensor([2.5]), torch.nn.Linear(512, 16)
    meta = {
        "architecture": "resnet", "mean": [0.48, 0.46, 0.41], "std": [0.23, 0.22, 0.21], "outputdim": 16,
        "Lw": {"sfm": {"ss": {"m": numpy.ones((16, 1)), "P": numpy.asfortranarray(numpy.eye(16)[::-1][:8] * 2)}}},
    }  # fmt: skip
    pooled = resnet_map(net, image).clamp(min=1e-6).pow(exponent).mean((2, 3)).pow(1 / exponent)
    expected = whiten(pooled / (pooled.norm(dim=1, keepdim=True) + 1e-6))
    content = {"meta": meta, "state_dict": cirtorch_names(net, exponent, whiten)}
    head = {"type": "gem", "fc": {"dim": 16, "l2_before": True}}
    expect = {"wrapper": "state_dict", "names": "cirtorch", "format": "PyTorch zip", "mean": meta["mean"]}
    writer.write("cirtorch", RESNET, head, image, expected, content, expect)

    # torchvision's ViT in half precision, for a model.json of another grid.
    net, image = small_vit(), torch.randn(1, 3, 32, 32)
    for parameter in net.parameters():
        parameter.data = parameter.data.half().float()
    content = {name: tensor.half() for name, tensor in net.state_dict().items()}
    expect = {"wrapper": "", "names": "torchvision ViT", "grid": 4}
    writer.write("vit_half", dict(VIT, grid=9), {"type": "cls"}, image, vit_cls(net, image), content, expect)

    # The same with timm's names, all tensors views of one buffer, matrices stored transposed, in an older file.
    for legacy in (False, True):
        state = timm_names(small_vit_state := net.state_dict())
        buffer, at, views = torch.empty(sum(t.numel() for t in state.values())), 0, collections.OrderedDict()
        for name, tensor in state.items():
            place = buffer[at : at + tensor.numel()]
            at += tensor.numel()
            view = place.view(tensor.T.shape).T if tensor.dim() == 2 else place.view(tensor.shape)
            view.copy_(tensor)
            views[name] = view
        expect = {"wrapper": "model", "names": "timm, torchvision, CvT or DINOv2"}
        name = "vit_views_legacy" if legacy else "vit_views"
        content = {"model": views}
        writer.write(name, VIT, {"type": "cls"}, image, vit_cls(net, image), content, expect, legacy=legacy)

    # A module's parameters themselves, in double precision.
    content = {"net": collections.OrderedDict((n, torch.nn.Parameter(t.double())) for n, t in small_vit_state.items())}
    writer.write("vit_double", VIT, {"type": "cls"}, image, vit_cls(net, image), content, {"wrapper": "net"})

    # torchvision's Swin in bfloat16.
    net, image = small_swin(), torch.randn(1, 3, 56, 56)
    for parameter in net.parameters():
        parameter.data = parameter.data.bfloat16().float()
    content = {n: t.bfloat16() if t.dtype.is_floating_point else t for n, t in net.state_dict().items()}
    expected = net.norm(net.features(image)).mean((1, 2))
    writer.write("swin_bfloat16", SWIN, {"type": "gap"}, image, expected, content, {"names": "torchvision Swin"})

    # What must not be imported: a whole model, a program, a command.
    torch.save(small_vit(), os.path.join(folder, "refuse_whole_model.pth"))
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), os.path.join(folder, "refuse_torchscript.pth"))

    class Command:
        def __reduce__(self):
            return os.system, ("touch " + os.path.join(folder, "executed"),)

    for legacy in (False, True):
        path = os.path.join(folder, f"refuse_command_{legacy}.pth")
        torch.save({"state_dict": {"w": torch.ones(2)}, "x": Command()}, path, _use_new_zipfile_serialization=not legacy)
    torch.save(torch.sparse_coo_tensor([[0]], [1.0], (2,)), os.path.join(folder, "refuse_sparse.pth"))


main(sys.argv[1])
