// Gives pages Mesa's lavapipe in place of SwiftShader, which has no 16-bit floats. Chromium offers pages only one
// software adapter, which it knows by SwiftShader's numbers, and Dawn opens its library by name. Preloaded, this file
// answers for that library: to Dawn as lavapipe under SwiftShader's numbers, to all others as SwiftShader itself.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

#define OWN __attribute__((visibility("default")))
typedef void (*Function)(void);
typedef Function (*Lookup)(void *instance, const char *name);

// The heads of Vulkan's structures, as far as they are read here.
struct Chained {
    uint32_t type;
    struct Chained *next;
    uint32_t contents[];
};
struct DeviceInfo {
    uint32_t type;
    struct Chained *next;
    uint32_t flags, queues;
    const void *queue_infos;
    uint32_t layers;
    const void *layer_names;
    uint32_t extensions;
    const void *extension_names;
    uint32_t *features;
};
enum { FEATURES2 = 1000059000, VENDOR = 2, DEVICE = 3, SWIFTSHADER = 0x1AE0, SWIFTSHADER_DEVICE = 0xC0DE };
// Indices into arrays of buffers and images. Dawn asks for them, Mesa 22 lacks them, and no kernel has such arrays.
enum { FIRST_INDEXED = 33, LAST_INDEXED = 36 };

static void *swiftshader;

static void *original_dlopen(const char *path, int flags) {
    return ((void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen"))(path, flags);
}

OWN void *dlopen(const char *path, int flags) {
    const char *name = path ? strrchr(path, '/') : 0;
    void *library = original_dlopen(path, flags);
    if (!library || !name || strcmp(name, "/libvk_swiftshader.so")) return library;
    Dl_info own;
    if (!dladdr((void *)dlopen, &own)) return library;
    swiftshader = library;
    return original_dlopen(own.dli_fname, RTLD_NOW);
}

// The loader's functions, by which ANGLE opens SwiftShader.
OWN int vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version) {
    int (*negotiate)(uint32_t *) = dlsym(swiftshader, "vk_icdNegotiateLoaderICDInterfaceVersion");
    return negotiate(version);
}
OWN Function vk_icdGetInstanceProcAddr(void *instance, const char *name) {
    return ((Lookup)dlsym(swiftshader, "vk_icdGetInstanceProcAddr"))(instance, name);
}
OWN Function vk_icdGetPhysicalDeviceProcAddr(void *instance, const char *name) {
    Lookup lookup = (Lookup)dlsym(swiftshader, "vk_icdGetPhysicalDeviceProcAddr");
    return lookup ? lookup(instance, name) : 0;
}

static void (*lavapipe_properties)(void *, uint32_t *), (*lavapipe_properties2)(void *, struct Chained *);
static void (*lavapipe_features)(void *, uint32_t *), (*lavapipe_features2)(void *, struct Chained *);
static int (*lavapipe_create)(void *, struct DeviceInfo *, const void *, void *);

static void rename_device(uint32_t *properties) {
    properties[VENDOR] = SWIFTSHADER;
    properties[DEVICE] = SWIFTSHADER_DEVICE;
}
static void index_arrays(uint32_t *features, uint32_t can) {
    for (int i = FIRST_INDEXED; i <= LAST_INDEXED; i++) features[i] = can;
}
static void properties(void *device, uint32_t *found) {
    lavapipe_properties(device, found);
    rename_device(found);
}
static void properties2(void *device, struct Chained *found) {
    lavapipe_properties2(device, found);
    rename_device(found->contents);
}
static void features(void *device, uint32_t *found) {
    lavapipe_features(device, found);
    index_arrays(found, 1);
}
static void features2(void *device, struct Chained *found) {
    lavapipe_features2(device, found);
    index_arrays(found->contents, 1);
}
static int create(void *device, struct DeviceInfo *info, const void *allocator, void *created) {
    if (info->features) index_arrays(info->features, 0);
    for (struct Chained *next = info->next; next; next = next->next)
        if (next->type == FEATURES2) index_arrays(next->contents, 0);
    return lavapipe_create(device, info, allocator, created);
}

// Dawn's way in.
OWN Function vkGetInstanceProcAddr(void *instance, const char *name) {
    static void *lavapipe;
    if (!lavapipe) lavapipe = original_dlopen("libvulkan_lvp.so", RTLD_NOW);
    if (!lavapipe) return 0;
    if (!strcmp(name, "vkGetInstanceProcAddr")) return (Function)vkGetInstanceProcAddr;
    Function found = ((Lookup)dlsym(lavapipe, "vk_icdGetInstanceProcAddr"))(instance, name);
    struct {
        const char *name;
        Function *theirs;
        Function ours;
    } const changed[] = {
        {"vkGetPhysicalDeviceProperties", (Function *)&lavapipe_properties, (Function)properties},
        {"vkGetPhysicalDeviceProperties2", (Function *)&lavapipe_properties2, (Function)properties2},
        {"vkGetPhysicalDeviceProperties2KHR", (Function *)&lavapipe_properties2, (Function)properties2},
        {"vkGetPhysicalDeviceFeatures", (Function *)&lavapipe_features, (Function)features},
        {"vkGetPhysicalDeviceFeatures2", (Function *)&lavapipe_features2, (Function)features2},
        {"vkGetPhysicalDeviceFeatures2KHR", (Function *)&lavapipe_features2, (Function)features2},
        {"vkCreateDevice", (Function *)&lavapipe_create, (Function)create},
    };
    for (unsigned i = 0; found && i < sizeof changed / sizeof *changed; i++) {
        if (strcmp(name, changed[i].name)) continue;
        *changed[i].theirs = found;
        return changed[i].ours;
    }
    return found;
}
