import{c as a,d as b}from"./chunk-NFN33SSO.js";export{b as actOf,a as typing};
